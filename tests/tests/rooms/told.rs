//! Webhooks of rooms, and the one that judges what is said.

use e2e::healthy::serve;
use e2e::receiver::{Receiver, Reply};
use e2e::room::{Member, ask, make, token};
use serde_json::{Value, json};
use server::App;
use server::config::{Event, Hook};

async fn hooked(hooks: Vec<Hook>) -> App {
    serve(move |config| {
        config.outbound.allow = vec!["127.0.0.1/32".parse().expect("a network")];
        config.hooks = hooks;
    })
    .await
}

#[tokio::test]
async fn a_back_end_is_told_who_comes_goes_up_and_down_raises_a_hand_and_how_it_ends() {
    let mut receiver = Receiver::start(|_| Reply::ok()).await;
    let events = [Event::Join, Event::Leave, Event::StageUp, Event::StageDown, Event::HandUp, Event::RoomEnd];
    let app = hooked(vec![receiver.hook("rooms", &events)]).await;
    let http = app.addresses().http;
    make(&app, "r", "show", Value::Null).await;
    let mut host = Member::join(http, "r", &token(http, "r", "ann", "host").await).await;
    let mut guest = Member::join(http, "r", &token(http, "r", "bo", "guest").await).await;
    assert_eq!(guest.command(json!({ "name": "raise_hand" })).await, None);
    assert_eq!(host.command(json!({ "name": "bring_up", "member": guest.id })).await, None);
    assert_eq!(guest.command(json!({ "name": "step_down" })).await, None);
    assert_eq!(host.command(json!({ "name": "remove", "member": guest.id })).await, None);
    host.send(&json!({ "type": "command", "n": 99, "command": { "name": "end" } })).await;
    assert_eq!(host.farewell().await, "ended_by_host");
    let owed = [
        ("join", json!("ann")),
        ("stage_up", json!("ann")),
        ("join", json!("bo")),
        ("hand_up", json!("bo")),
        ("stage_up", json!("bo")),
        ("stage_down", json!("bo")),
        ("leave", json!("bo")),
        ("room_end", Value::Null),
    ];
    for (event, user) in owed {
        let call = receiver.call().await.json();
        assert_eq!((&call["event"], &call["user"]), (&json!(event), &user), "{call}");
        assert_eq!((&call["room"], &call["path"]), (&json!("r"), &json!("room/r")));
        if event == "room_end" {
            assert_eq!(call["reason"], "ended_by_host");
        }
    }
}

#[tokio::test]
async fn in_a_moderated_room_nothing_is_delivered_but_what_the_back_end_makes_of_it() {
    let mask = Receiver::start(|call| match call.text("text") {
        text if text.contains("darn") => {
            Reply::Status(200, json!({ "text": text.replace("darn", "****") }).to_string())
        }
        _ => Reply::ok(),
    })
    .await;
    let judge = Receiver::start(|call| {
        match call.text("text").contains("bad") || call.text("text").contains("darn") {
            true => Reply::no("not here"),
            false => Reply::ok(),
        }
    })
    .await;
    let hooks = [mask.hook("mask", &[Event::Chat]), judge.hook("judge", &[Event::Chat])];
    let app = hooked(hooks.map(|hook| Hook { veto: true, ..hook }).into()).await;
    let http = app.addresses().http;
    make(&app, "r", "meeting", json!({ "moderated": true })).await;
    let mut ann = Member::join(http, "r", &token(http, "r", "ann", "guest").await).await;
    assert_eq!(ann.command(json!({ "name": "chat", "text": "a bad word" })).await, None);
    assert_eq!(ann.command(json!({ "name": "chat", "text": "a good word" })).await, None);
    ann.until(|all| !all.chat.is_empty()).await;
    assert_eq!(ann.command(json!({ "name": "chat", "text": "a darn word" })).await, None);
    ann.until(|all| all.chat.len() == 2).await;
    let said: Vec<_> = ann.all().chat.iter().map(|said| said.text.clone()).collect();
    assert_eq!(said, ["a good word", "a **** word"]);
}

#[tokio::test]
async fn how_long_members_were_on_the_stage_is_in_the_usage() {
    let app = hooked(Vec::new()).await;
    let http = app.addresses().http;
    make(&app, "r", "meeting", Value::Null).await;
    let mut ann = Member::join(http, "r", &token(http, "r", "ann", "guest").await).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(ann.command(json!({ "name": "step_down" })).await, None);
    let usage = ask(&app, "GET", "/api/v1/usage?by=app,stream,protocol", &Value::Null).await.json();
    let rows = usage["rows"].as_array().cloned().unwrap_or_default();
    let row = rows.iter().find(|row| row["app"] == "room/r" && row["protocol"] == "room");
    let row = row.unwrap_or_else(|| panic!("{usage}"));
    assert!(
        row["stream"] == "1" && row["seconds"].as_f64().is_some_and(|s| (0.25..5.0).contains(&s)),
        "{row}"
    );
}
