//! Peers that lie, flood or do not read: each is refused with a reason, and harms nobody.

use std::time::Duration;

use e2e::healthy::serve;
use e2e::room::{Member, make, token};
use serde_json::{Value, json};

#[tokio::test]
async fn who_brings_no_token_of_this_room_is_told_so_and_closed() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    make(&app, "r", "meeting", Value::Null).await;
    make(&app, "other", "meeting", Value::Null).await;
    let right = token(http, "r", "ann", "guest").await;
    let forged = {
        let mut parts: Vec<&str> = right.split('.').collect();
        parts[2] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        parts.join(".")
    };
    let elsewhere = token(http, "other", "ann", "host").await;
    let join = |token: &str| json!({ "type": "join", "v": 1, "token": token, "name": null }).to_string();
    let cases = [
        (join("nonsense"), "bad_token"),
        (join(&forged), "bad_token"),
        (join(&elsewhere), "wrong_room"),
        (join(&right).replace("\"v\":1", "\"v\":2"), "unsupported_version"),
        ("hello".into(), "bad_message"),
        (
            json!({ "type": "join", "v": 1, "token": right, "name": null, "role": "host" }).to_string(),
            "bad_message",
        ),
    ];
    for (text, code) in cases {
        let mut peer = Member::open(http, "r").await;
        peer.send_text(text.clone()).await;
        assert_eq!(peer.farewell().await, code, "{text}");
    }
    let mut peer = Member::open(http, "nowhere").await;
    peer.send_text(join(&right)).await;
    assert_eq!(peer.farewell().await, "wrong_room");
}

#[tokio::test]
async fn commands_that_are_forged_repeated_or_not_allowed_are_refused_with_their_number() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    make(&app, "r", "show", Value::Null).await;
    let mut host = Member::join(http, "r", &token(http, "r", "host", "host").await).await;
    let mut guest = Member::join(http, "r", &token(http, "r", "guest", "guest").await).await;
    for (command, code) in [
        (json!({ "name": "remove", "member": host.id }), "no_right"),
        (json!({ "name": "end" }), "no_right"),
        (json!({ "name": "appoint", "member": guest.id, "role": "cohost" }), "no_right"),
        (
            json!({ "name": "publish", "sending": { "sound": true, "picture": true, "screen": true } }),
            "not_on_stage",
        ),
        (json!({ "name": "chat", "text": "" }), "bad_text"),
        (json!({ "name": "chat", "text": "\u{202e}over" }), "bad_text"),
        (json!({ "name": "rename", "to": "\u{0}" }), "bad_name"),
        (json!({ "name": "chat", "text": "hello", "as": host.id }), "bad_message"),
        (json!({ "name": "fly" }), "bad_message"),
    ] {
        assert_eq!(guest.command(command.clone()).await.as_deref(), Some(code), "{command}");
    }
    // A replayed number gets the answer that it got, and nothing is done.
    assert_eq!(guest.command(json!({ "name": "chat", "text": "once" })).await, None);
    let n = std::mem::replace(&mut guest.n, 0);
    assert_eq!(guest.command(json!({ "name": "chat", "text": "twice" })).await.as_deref(), Some("no_right"));
    guest.n = n - 1;
    assert_eq!(guest.command(json!({ "name": "chat", "text": "twice" })).await, None);
    host.until(|all| !all.chat.is_empty()).await;
    assert_eq!(host.all().chat.len(), 1);
    let name = "<script>alert(1)</script>";
    assert_eq!(guest.command(json!({ "name": "rename", "to": name })).await, None);
    host.until(|all| all.members.iter().any(|person| person.name == name)).await;
}

#[tokio::test]
async fn ten_megabytes_are_not_read_and_a_binary_message_is_a_breach() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    make(&app, "r", "meeting", Value::Null).await;
    let mut ann = Member::join(http, "r", &token(http, "r", "ann", "host").await).await;
    let mut bo = Member::join(http, "r", &token(http, "r", "bo", "guest").await).await;
    ann.until(|all| all.members.len() == 2).await;
    // Within what is read, and over what is a message.
    bo.send_text("x".repeat(20_000)).await;
    let refused = bo.next_json().await.unwrap();
    assert_eq!((&refused["type"], &refused["code"]), (&json!("refused"), &json!("message_too_long")));
    bo.send_text(format!("{{\"type\":\"ping\",\"t\":1,\"x\":\"{}\"}}", "x".repeat(10 << 20))).await;
    assert_eq!(bo.farewell().await, "message_too_long");
    ann.until(|all| all.members.iter().any(|person| person.away)).await;
    assert_eq!(ann.command(json!({ "name": "chat", "text": "unharmed" })).await, None);
}

#[tokio::test]
async fn a_flood_is_slowed_down_and_then_closed() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    make(&app, "r", "meeting", Value::Null).await;
    let mut ann = Member::join(http, "r", &token(http, "r", "ann", "host").await).await;
    let mut bo = Member::join(http, "r", &token(http, "r", "bo", "guest").await).await;
    for n in 1..=600_u32 {
        bo.send(&json!({ "type": "command", "n": n, "command": { "name": "lower_hand" } })).await;
    }
    assert_eq!(bo.farewell().await, "flooding");
    ann.until(|all| all.members.len() == 1).await;
    let mut cy = Member::join(http, "r", &token(http, "r", "cy", "guest").await).await;
    for _ in 0..40 {
        cy.send_text("nonsense".into()).await;
    }
    assert_eq!(cy.farewell().await, "flooding", "nonsense as well");
    assert_eq!(ann.command(json!({ "name": "chat", "text": "unharmed" })).await, None);
}

#[tokio::test]
async fn who_never_says_who_it_is_is_closed_in_time() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    make(&app, "r", "meeting", Value::Null).await;
    let began = std::time::Instant::now();
    let mut silent = Member::open(http, "r").await;
    let closed =
        tokio::time::timeout(Duration::from_secs(15), async { while silent.next_text().await.is_ok() {} });
    closed.await.expect("closed after ten seconds");
    assert!(began.elapsed() >= Duration::from_secs(9), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_member_that_never_reads_is_closed_and_harms_nobody() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    make(&app, "r", "meeting", Value::Null).await;
    let mut ann = Member::join(http, "r", &token(http, "r", "ann", "host").await).await;
    // It joins, and never reads a byte of what follows.
    let deaf = Member::join(http, "r", &token(http, "r", "deaf", "guest").await).await;
    ann.until(|all| all.members.len() == 2).await;
    let value = "x".repeat(4_000);
    let mut rounds = 0;
    while ann.all().members.iter().all(|person| !person.away) && ann.all().members.len() == 2 {
        let began = std::time::Instant::now();
        let key = format!("k{}", rounds % 4);
        let value = format!("{value}{rounds}");
        let set =
            ann.command(json!({ "name": "set_data", "track": "all", "key": key, "value": value })).await;
        assert!(set.is_none() || set.as_deref() == Some("too_fast"), "{set:?}");
        assert!(began.elapsed() < Duration::from_secs(2), "the others wait for nobody");
        if set.is_some() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        rounds += 1;
        assert!(rounds < 4_000, "it is still there");
    }
    drop(deaf);
}
