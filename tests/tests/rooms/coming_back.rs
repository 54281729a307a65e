//! Connections that are lost, servers that are killed: nothing is missed, repeated or forgotten.

use std::time::Duration;

use e2e::folder::Folder;
use e2e::healthy::serve;
use e2e::room::{Member, ask, make, token};
use serde_json::{Value, json};

#[tokio::test]
async fn a_member_that_comes_back_has_missed_nothing_and_gets_nothing_twice() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    make(&app, "r", "meeting", Value::Null).await;
    let (ann_token, bo_token) =
        (token(http, "r", "ann", "host").await, token(http, "r", "bo", "guest").await);
    let mut ann = Member::join(http, "r", &ann_token).await;
    let mut bo = Member::join(http, "r", &bo_token).await;
    assert_eq!(ann.command(json!({ "name": "chat", "text": "before" })).await, None);
    bo.until(|all| all.chat.len() == 1).await;
    // Its command is answered while it does not listen.
    bo.send(&json!({ "type": "command", "n": 1, "command": { "name": "chat", "text": "mine" } })).await;
    ann.until(|all| all.chat.len() == 2).await;
    let n = ann.n;
    for text in ["one", "two", "three"] {
        assert_eq!(ann.command(json!({ "name": "chat", "text": text })).await, None);
    }
    assert_eq!(ann.n, n + 3);
    let mut again = bo.resume(http, "r", &bo_token).await;
    bo.vanish();
    assert_eq!(
        again.all().chat.iter().map(|said| said.text.as_str()).collect::<Vec<_>>(),
        ["before", "mine", "one", "two", "three"]
    );
    // The same number again is answered again, and not done again.
    again.send(&json!({ "type": "command", "n": 1, "command": { "name": "chat", "text": "mine" } })).await;
    let answer = loop {
        let json = again.next_json().await.unwrap();
        if json["type"] == "ack" {
            break json;
        }
    };
    assert_eq!(answer["n"], 1);
    assert_eq!(again.all().chat.len(), 5);
    let stranger = token(http, "r", "stranger", "guest").await;
    let mut thief = Member::open(http, "r").await;
    let resume = json!({ "type": "resume", "v": 1, "token": stranger, "member": again.id,
        "seen": { "all": null, "stage": null, "hosts": null, "own": null } });
    thief.send(&resume).await;
    assert_eq!(thief.farewell().await, "unknown_member", "another's place is nobody's to take");
}

#[tokio::test]
async fn a_place_is_kept_for_the_time_of_grace_and_no_longer() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    make(&app, "r", "meeting", json!({ "times": { "grace": 400 } })).await;
    let mut ann = Member::join(http, "r", &token(http, "r", "ann", "host").await).await;
    let bo = Member::join(http, "r", &token(http, "r", "bo", "guest").await).await;
    ann.until(|all| all.members.len() == 2).await;
    bo.vanish();
    ann.until(|all| all.members.iter().any(|person| person.away)).await;
    assert_eq!(ann.all().stage.len(), 2, "with its place on the stage");
    ann.until(|all| all.members.len() == 1 && all.stage.len() == 1).await;
}

#[tokio::test]
async fn a_restarted_server_has_its_rooms_and_members_resume_where_they_were() {
    let folder = Folder::new();
    let data = folder.path().to_owned();
    let start = || {
        let data = data.clone();
        serve(move |config| config.data.dir = data)
    };
    let app = start().await;
    let http = app.addresses().http;
    make(&app, "r", "meeting", Value::Null).await;
    make(&app, "over", "meeting", Value::Null).await;
    assert_eq!(ask(&app, "DELETE", "/api/v1/rooms/over", &Value::Null).await.status, 204);
    let ann_token = token(http, "r", "ann", "host").await;
    let mut ann = Member::join(http, "r", &ann_token).await;
    assert_eq!(ann.command(json!({ "name": "set_title", "to": "Kept" })).await, None);
    assert_eq!(ann.command(json!({ "name": "chat", "text": "written down" })).await, None);
    app.shutdown(Duration::ZERO).await;

    let app = start().await;
    let http = app.addresses().http;
    let rooms = ask(&app, "GET", "/api/v1/rooms", &Value::Null).await.json();
    assert_eq!(rooms["rooms"].as_array().map(Vec::len), Some(1), "{rooms}");
    assert_eq!(rooms["rooms"][0]["title"], "Kept");
    // The token was made by the server before: its key was kept, too.
    let again = ann.resume(http, "r", &ann_token).await;
    assert_eq!(again.id, ann.id);
    assert_eq!(again.all().chat.last().map(|said| said.text.as_str()), Some("written down"));
    assert_eq!(again.all().members.first().map(|person| person.away), Some(false));
}
