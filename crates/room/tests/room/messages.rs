//! The golden messages of `docs/signalling/`, which the TypeScript tests read too.
//!
//! `OPENMIC_WRITE_SIGNALLING=1 cargo test -p room` writes the messages of the server anew, from a story that is played.

use std::collections::BTreeSet;

use room::message::{self, Down};
use room::track::{Delta, Open, Reaction, Sending, View};
use room::{Actor, Command, Goodbye, MemberId, Millis, Output, Outputs, Refusal, Role, Settings, Template};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::scene::Scene;

#[derive(Deserialize)]
struct Golden {
    says: String,
    message: Value,
}

#[derive(Deserialize)]
struct Bad {
    says: String,
    code: Refusal,
    n: Option<u32>,
    text: String,
}

const UP: &str = include_str!("../../../../docs/signalling/up.json");
const DOWN: &str = include_str!("../../../../docs/signalling/down.json");
const REFUSED: &str = include_str!("../../../../docs/signalling/refused.json");
const STORY: &str = include_str!("../../../../docs/signalling/story.json");

#[test]
fn what_clients_send_is_read_and_written_as_the_golden_messages_say() {
    let golden: Vec<Golden> = serde_json::from_str(UP).unwrap();
    for Golden { says, message } in &golden {
        let up = message::parse(message.to_string().as_bytes())
            .unwrap_or_else(|wrong| panic!("{says}: {wrong:?}"));
        assert_eq!(serde_json::to_value(&up).unwrap(), *message, "{says}");
    }
    let commands: BTreeSet<&str> =
        golden.iter().filter_map(|g| g.message["command"]["name"].as_str()).collect();
    assert_eq!(commands.len(), 32, "one of every command");
}

#[test]
fn what_is_no_message_is_refused_with_its_code_and_number() {
    for Bad { says, code, n, text } in serde_json::from_str::<Vec<Bad>>(REFUSED).unwrap() {
        let wrong = message::parse(text.as_bytes()).expect_err(&says);
        assert_eq!((wrong.refusal, wrong.n), (code, n), "{says}");
    }
}

#[test]
fn what_the_server_sends_is_written_and_read_as_the_golden_messages_say() {
    let golden: Vec<Golden> = serde_json::from_str(DOWN).unwrap();
    for Golden { says, message } in &golden {
        let down: Down = serde_json::from_str(&message.to_string()).unwrap_or_else(|e| panic!("{says}: {e}"));
        assert_eq!(serde_json::from_str::<Value>(&down.to_json()).unwrap(), *message, "{says}");
    }
    let types: BTreeSet<&str> = golden.iter().filter_map(|g| g.message["type"].as_str()).collect();
    let all = ["ack", "bye", "delta", "drain", "hide", "pong", "refused", "state", "welcome"];
    assert_eq!(types.into_iter().collect::<Vec<_>>(), all, "one of every type");
}

#[test]
fn every_refusal_and_every_goodbye_has_a_sentence_of_its_own() {
    let document = include_str!("../../../../docs/signalling.md");
    for (code, sentence) in
        codes::<Refusal>(document, "### Refusals").into_iter().map(|r| (format!("{r:?}"), r.sentence()))
    {
        assert!(document.contains(sentence), "{code}: {sentence}");
    }
    for reason in codes::<Goodbye>(document, "### Goodbyes") {
        assert!(document.contains(reason.sentence()), "{reason:?}");
    }
    assert_eq!(codes::<Refusal>(document, "### Refusals").len(), 35);
    assert_eq!(codes::<Goodbye>(document, "### Goodbyes").len(), 14);
}

/// The codes of a table in the document: the first cell of each row below a heading.
fn codes<T: serde::de::DeserializeOwned>(document: &str, heading: &str) -> Vec<T> {
    let table = document.split_once(heading).expect("the heading").1;
    let rows =
        table.lines().skip_while(|line| !line.starts_with("| `")).take_while(|line| line.starts_with("| `"));
    rows.map(|row| serde_json::from_value(json!(row.split('`').nth(1))).expect(row)).collect()
}

/// A lesson as one pupil hears it: brought up, made a co-host, a guest again.
fn story() -> (Vec<Value>, Vec<Value>) {
    let mut scene = Scene::new(Settings { moderated: false, ..Template::ClassLarge.settings() });
    let mut heard: Vec<Value> = vec![];
    let teacher = scene.join("teacher", Role::Host);
    let pupil = scene.join("pupil", Role::Guest);
    heard.extend(hears(pupil, &scene.last));
    let sending = Sending { sound: true, ..Sending::default() };
    let steps = [
        (pupil, Command::RaiseHand {}),
        (teacher, Command::NextHand {}),
        (pupil, Command::Publish { sending }),
        (pupil, Command::Chat { text: "<b>hello</b>\n你好 \u{1f44b}".to_owned() }),
        (
            teacher,
            Command::SetData {
                track: room::DataTrack::Stage,
                key: "cue".to_owned(),
                value: Some("7".to_owned()),
            },
        ),
        (teacher, Command::SetTitle { to: "Fractions".to_owned() }),
        (teacher, Command::MuteAll {}),
        (teacher, Command::AskUnmute { member: pupil, media: room::track::Media::Sound }),
        (teacher, Command::Focus { member: Some(pupil) }),
        (teacher, Command::Appoint { member: pupil, role: Role::Cohost }),
        (pupil, Command::React { reaction: Reaction::Clap, times: 3 }),
        (pupil, Command::Invite { member: MemberId(3) }),
        (pupil, Command::SetOpen { open: Open { door: true, chat: false, hands: true } }),
        (
            pupil,
            Command::SetData {
                track: room::DataTrack::Hosts,
                key: "note".to_owned(),
                value: Some("x".to_owned()),
            },
        ),
        (teacher, Command::Appoint { member: pupil, role: Role::Guest }),
        (pupil, Command::End {}),
        (pupil, Command::Rename { to: "Pupil".to_owned() }),
        (pupil, Command::StepDown {}),
    ];
    scene.join("other", Role::Guest);
    heard.extend(hears(pupil, &scene.last));
    for (by, command) in steps {
        let _ = scene.try_do(by, command);
        heard.extend(hears(pupil, &scene.last));
        scene.now = scene.now + Millis(300);
        let outputs = scene.room.handle_timeout(scene.now);
        heard.extend(hears(pupil, &outputs));
        scene.perform(outputs);
    }
    let views = scene.client(pupil).views.values().map(|view| serde_json::to_value(view).unwrap()).collect();
    (heard, views)
}

/// The messages that this member's connection gets.
fn hears(member: MemberId, outputs: &Outputs) -> Vec<Value> {
    let theirs = |output: &&Output| match output {
        Output::Answer { to, .. } => *to == Actor::Member(member),
        Output::Welcome { to, .. }
        | Output::Show { to, .. }
        | Output::Hide { to, .. }
        | Output::Close { to, .. } => *to == member,
        Output::Delta { .. } | Output::Drain { .. } => true,
        Output::Persist(_) | Output::Moderate { .. } | Output::Ended { .. } => false,
    };
    let own = |output: &&Output| !matches!(output, Output::Delta { to: room::track::Track::Own(whose), .. } if *whose != member);
    outputs
        .iter()
        .filter(theirs)
        .filter(own)
        .map(|output| serde_json::to_value(Down::of(output.clone()).expect("a message")).unwrap())
        .collect()
}

/// Keeps what a client reads at that moment: deltas of tracks it has no view of are not sent to it.
fn as_sent(heard: Vec<Value>) -> Vec<Value> {
    let mut reads: BTreeSet<String> = BTreeSet::new();
    heard
        .into_iter()
        .filter(|message| {
            let track = || message["track"].as_str().unwrap_or_default().to_owned();
            match message["type"].as_str().unwrap() {
                "welcome" => reads.extend(
                    message["tracks"].as_array().unwrap().iter().map(|t| t.as_str().unwrap().to_owned()),
                ),
                "state" => drop(reads.insert(track())),
                "hide" => drop(reads.remove(&track())),
                "delta" => return reads.contains(&track()),
                _ => {}
            }
            true
        })
        .collect()
}

#[test]
fn a_lesson_heard_by_a_client_that_knows_only_messages_ends_in_the_state_of_the_room() {
    let (heard, views) = story();
    let told = json!({ "messages": as_sent(heard), "views": views });
    if std::env::var_os("OPENMIC_WRITE_SIGNALLING").is_some() {
        write(&told);
        return;
    }
    let golden: Value = serde_json::from_str(STORY).unwrap();
    assert_eq!(golden, told, "OPENMIC_WRITE_SIGNALLING=1 writes it anew");
    let mut kept: Vec<View> = vec![];
    for message in golden["messages"].as_array().unwrap() {
        match serde_json::from_str::<Down>(&message.to_string()).unwrap() {
            Down::Welcome(welcome) => kept = welcome.states,
            Down::State(view) => kept.push(view),
            Down::Hide { track } => kept.retain(|view| name_of(view) != serde_json::to_value(track).unwrap()),
            Down::Delta(delta) => follow(&mut kept, &delta),
            Down::Ack { .. } | Down::Refused { .. } | Down::Pong { .. } | Down::Drain { .. } => {}
            Down::Bye { .. } => kept.clear(),
        }
    }
    let kept: Vec<Value> = kept.iter().map(|view| serde_json::to_value(view).unwrap()).collect();
    assert_eq!(json!(kept), golden["views"]);
}

fn name_of(view: &View) -> Value {
    serde_json::to_value(view).unwrap()["track"].clone()
}

fn follow(kept: &mut [View], delta: &Delta) {
    let followed = kept.iter_mut().map(|view| view.follow(delta)).filter(Result::is_ok).count();
    assert_eq!(followed, 1, "{delta:?}");
}

fn write(told: &Value) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/signalling");
    let messages = told["messages"].as_array().unwrap();
    let pick = |says: &str, kind: &str, track: Option<&str>| {
        let fits = |m: &&Value| m["type"] == kind && track.is_none_or(|track| m["track"] == track);
        json!({ "says": says, "message": messages.iter().find(fits).expect(says) })
    };
    let say =
        |says: &str, down: Down| json!({ "says": says, "message": serde_json::to_value(down).unwrap() });
    let down = json!([
        pick("You are in", "welcome", None),
        pick("Something happened before everybody's eyes", "delta", Some("all")),
        pick("Something happened to you", "delta", Some("own")),
        pick("Something happened behind the stage", "delta", Some("stage")),
        pick("Something happened at the hosts' desk", "delta", Some("hosts")),
        pick("You see behind the stage from now on", "state", Some("stage")),
        pick("You see the hosts' desk from now on", "state", Some("hosts")),
        pick("You see the hosts' desk no longer", "hide", Some("hosts")),
        pick("Done, and written down", "ack", None),
        pick("Refused", "refused", None),
        say("No message at all", Down::refused(None, Refusal::BadMessage)),
        say(
            "The time",
            Down::Pong { t: 81_520_133, received_us: 1_790_000_000_000_100, sent_us: 1_790_000_000_000_140 }
        ),
        say("Come back in a while", Down::Drain { after_ms: Millis(2_350) }),
        say(
            "It is over",
            Down::Bye { reason: Goodbye::EndedByHost, sentence: Goodbye::EndedByHost.sentence().to_owned() }
        ),
    ]);
    for (name, value) in [("down", &down), ("story", told)] {
        let text = serde_json::to_string_pretty(value).unwrap() + "\n";
        std::fs::write(format!("{folder}/{name}.json"), text).unwrap();
    }
}
