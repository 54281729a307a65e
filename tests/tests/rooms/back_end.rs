//! What an application's back-end does with rooms, and who may publish and watch in them.

use e2e::healthy::serve;
use e2e::room::{Member, ask, make, token};
use serde_json::{Value, json};

#[tokio::test]
async fn rooms_are_made_listed_changed_and_closed() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    let made = ask(&app, "POST", "/api/v1/rooms", &json!({ "template": "show", "title": "Friday" })).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let room = made.json();
    let id = room["id"].as_str().unwrap().to_owned();
    assert_eq!(
        (&room["title"], &room["template"], &room["members"]),
        (&json!("Friday"), &json!("show"), &json!(0))
    );
    assert_eq!(made.header("location"), Some(&*format!("/api/v1/rooms/{id}")));
    let again = ask(&app, "POST", "/api/v1/rooms", &json!({ "id": id, "template": "show" })).await;
    assert_eq!(again.status, 409);
    let listed = ask(&app, "GET", "/api/v1/rooms", &Value::Null).await.json();
    assert_eq!(listed["rooms"][0]["id"], json!(id));

    let mut ann = Member::join(http, &id, &token(http, &id, "ann", "host").await).await;
    let target = format!("/api/v1/rooms/{id}");
    let open = json!({ "door": false, "chat": true, "hands": true });
    let changed = ask(&app, "PATCH", &target, &json!({ "title": "Saturday", "open": open })).await.json();
    assert_eq!((&changed["title"], &changed["open"]["door"]), (&json!("Saturday"), &json!(false)));
    ann.until(|all| all.about.title == "Saturday" && !all.open.door).await;
    let mut late = Member::open(http, &id).await;
    let join =
        json!({ "type": "join", "v": 1, "token": token(http, &id, "late", "guest").await, "name": null });
    late.send(&join).await;
    assert_eq!(late.farewell().await, "locked");

    let open = json!({ "door": true, "chat": true, "hands": true });
    let wish =
        json!({ "open": open, "settings": { "limits": { "members": 2 }, "times": { "grace": 9_000 } } });
    let changed = ask(&app, "PATCH", &target, &wish).await.json();
    let settings = &changed["settings"];
    assert_eq!((&settings["limits"]["members"], &settings["times"]["grace"]), (&json!(2), &json!(9_000)));
    for wrong in
        [json!({ "limits": { "members": 0 } }), json!({ "template": "call" }), json!({ "colour": 3 })]
    {
        let refused = ask(&app, "PATCH", &target, &json!({ "settings": wrong })).await;
        assert_eq!(refused.status, 400, "{wrong}");
    }
    let _second = Member::join(http, &id, &token(http, &id, "second", "guest").await).await;
    let mut third = Member::open(http, &id).await;
    let join =
        json!({ "type": "join", "v": 1, "token": token(http, &id, "third", "guest").await, "name": null });
    third.send(&join).await;
    assert_eq!(third.farewell().await, "full");

    let data = json!({ "track": "all", "key": "slide", "value": "7" });
    assert_eq!(ask(&app, "PUT", &format!("{target}/data"), &data).await.status, 204);
    ann.until(|all| all.data.iter().any(|datum| datum.key == "slide" && datum.value == "7")).await;
    let command = json!({ "command": { "name": "mute", "member": 77, "media": "sound" } });
    let refused = ask(&app, "POST", &format!("{target}/commands"), &command).await;
    assert!(refused.status == 404 && refused.problem().starts_with("unknown_member: "), "{}", refused.text());
    let members = ask(&app, "GET", &format!("{target}/members"), &Value::Null).await.json();
    assert_eq!((&members["members"][0]["user"], &members["more"]), (&json!("ann"), &json!(false)));
    assert_eq!(members["members"][1]["user"], json!("second"));

    assert_eq!(ask(&app, "DELETE", &target, &Value::Null).await.status, 204);
    assert_eq!(ann.farewell().await, "ended_by_backend");
    assert_eq!(ask(&app, "GET", &target, &Value::Null).await.status, 404);
}

#[tokio::test]
async fn a_back_end_moves_mutes_appoints_removes_and_bans() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    make(&app, "r", "show", Value::Null).await;
    let mut host = Member::join(http, "r", &token(http, "r", "host", "host").await).await;
    let bo_token = token(http, "r", "bo", "guest").await;
    let mut bo = Member::join(http, "r", &bo_token).await;
    let target = format!("/api/v1/rooms/r/members/{}", bo.id);
    let invited = ask(&app, "PATCH", &target, &json!({ "stage": true })).await.json();
    assert_eq!(
        (&invited["invited"], &invited["sending"]),
        (&json!(true), &Value::Null),
        "nobody is pulled up"
    );
    assert_eq!(bo.command(json!({ "name": "accept" })).await, None);
    let sending = json!({ "sound": true, "picture": true, "screen": false });
    assert_eq!(bo.command(json!({ "name": "publish", "sending": sending })).await, None);
    let muted = ask(&app, "PATCH", &target, &json!({ "mute": ["sound"] })).await.json();
    assert_eq!((&muted["sending"]["sound"], &muted["sending"]["picture"]), (&json!(false), &json!(true)));
    let unmuted =
        ask(&app, "PATCH", &target, &json!({ "sending": { "sound": true, "picture": true } })).await;
    assert!(unmuted.status == 403, "nothing is switched on for anybody: {}", unmuted.text());
    let appointed = ask(&app, "PATCH", &target, &json!({ "role": "cohost", "stage": false })).await.json();
    assert_eq!((&appointed["role"], &appointed["sending"]), (&json!("cohost"), &Value::Null));
    assert_eq!(ask(&app, "DELETE", &format!("{target}?ban=true"), &Value::Null).await.status, 204);
    assert_eq!(bo.farewell().await, "banned");
    let mut again = Member::open(http, "r").await;
    again.send(&json!({ "type": "join", "v": 1, "token": bo_token, "name": "Another" })).await;
    assert_eq!(again.farewell().await, "banned");
    host.until(|all| all.members.len() == 1).await;
}

#[tokio::test]
async fn demo_rooms_are_anybodys_on_a_laptop_and_nobodys_where_they_are_switched_off() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    let made = ask(&app, "POST", "/demo/rooms", &json!({ "template": "meeting", "name": "Ann" })).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let (room, host) =
        (made.json()["room"].as_str().unwrap().to_owned(), made.json()["token"].as_str().unwrap().to_owned());
    let target = format!("/demo/rooms/{room}/tokens");
    let guest = ask(&app, "POST", &target, &json!({ "name": "Bo", "role": "guest" })).await.json();
    let ann = Member::join(http, &room, &host).await;
    let bo = Member::join(http, &room, guest["token"].as_str().unwrap()).await;
    assert_eq!(bo.all().members.len(), 2);
    assert!(ann.views.contains_key("hosts"));
    assert_eq!(ask(&app, "POST", &target, &json!({ "name": "Cy", "role": "host" })).await.status, 403);
    make(&app, "private", "meeting", Value::Null).await;
    let other = ask(&app, "POST", "/demo/rooms/private/tokens", &json!({ "name": "Cy" })).await;
    assert_eq!(other.status, 404, "a back-end's room is not anybody's");
    let off = serve(|config| config.rooms.demo = Some(false)).await;
    assert_eq!(
        ask(&off, "POST", "/demo/rooms", &json!({ "template": "show", "name": "Ann" })).await.status,
        404
    );
}
