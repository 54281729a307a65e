//! Bad input: refused with a reason, and nobody else notices.

use room::message::{self, Down, MESSAGE_BYTES_MAX, Seen, Up};
use room::{
    Actor, Command, Goodbye, Hello, MemberId, Millis, Output, Refusal, Request, Resume, Right, Role, RoomId,
    Template, UserId, text,
};

use crate::scene::{Scene, claims};

fn pair() -> (Scene, MemberId, MemberId) {
    let mut scene = Scene::new(Template::ClassLarge.settings());
    let teacher = scene.join("teacher", Role::Host);
    let pupil = scene.join("pupil", Role::Guest);
    (scene, teacher, pupil)
}

#[test]
fn a_token_for_another_room_opens_nothing_here() {
    let (mut scene, _, pupil) = pair();
    let mut foreign = claims("pupil", Role::Host);
    foreign.room = RoomId::new("class-4").unwrap();
    let before = scene.room.snapshot();
    let resume = Resume { member: pupil, seen: Seen::default() };
    assert_eq!(scene.room.join(&foreign, &Hello::default(), scene.now), (Err(Refusal::WrongRoom), vec![]));
    assert_eq!(scene.room.resume(&foreign, resume, scene.now), (Err(Refusal::WrongRoom), vec![]));
    assert_eq!(scene.room.decline(&foreign, scene.now), (Err(Refusal::WrongRoom), vec![]));
    assert_eq!(scene.room.snapshot(), before);
}

#[test]
fn a_forged_member_number_resumes_nothing_and_disturbs_nobody() {
    let (mut scene, teacher, pupil) = pair();
    for member in [teacher, MemberId(0), MemberId(99), MemberId(u32::MAX)] {
        assert_eq!(scene.resume("pupil", member), Err(Refusal::UnknownMember));
    }
    assert!(scene.client(teacher).connected && scene.client(pupil).connected);
    let nobody = Actor::Member(MemberId(99));
    let outputs = scene.room.handle(nobody, Request { n: 1, command: Command::End {} }, scene.now);
    assert_eq!(outputs, [Output::Answer { to: nobody, n: 1, result: Err(Refusal::NotAMember) }]);
}

#[test]
fn a_command_that_comes_twice_is_answered_twice_and_done_once() {
    let (mut scene, _, pupil) = pair();
    let by = Actor::Member(pupil);
    let say = || Command::Chat { text: "once".to_owned() };
    assert_eq!(scene.send(by, 5, say()), Ok(()));
    let before = scene.room.snapshot();
    assert_eq!(scene.send(by, 5, say()), Ok(()), "the same answer");
    assert_eq!(scene.send(by, 4, say()), Err(Refusal::AlreadyAnswered), "numbers rise");
    assert_eq!(scene.send(by, 0, say()), Err(Refusal::AlreadyAnswered));
    assert_eq!(scene.room.snapshot(), before);
    assert_eq!(scene.send(by, 6, Command::End {}), Err(Refusal::NoRight));
    assert_eq!(scene.send(by, 6, say()), Err(Refusal::NoRight), "a number has one answer");
    assert_eq!(scene.send(by, 7, say()), Ok(()));
    assert_eq!(scene.room.state().all.state.chat.len(), 2);
}

#[test]
fn a_command_acknowledged_before_a_restart_is_not_done_again_after_it() {
    let (mut scene, _, pupil) = pair();
    scene.act(pupil, Command::Chat { text: "once".to_owned() });
    let (mut room, _) = room::Room::restore(scene.first.clone(), &scene.journal, scene.now);
    let again = Request { n: 1, command: Command::Chat { text: "once".to_owned() } };
    let outputs = room.handle(pupil, again, scene.now);
    let refused = Output::Answer { to: pupil.into(), n: 1, result: Err(Refusal::AlreadyAnswered) };
    assert_eq!(outputs, [refused]);
    assert_eq!(room.state().all.state.chat.len(), 1);
}

#[test]
fn a_flood_is_slowed_then_cut_off_and_others_go_on() {
    let (mut scene, teacher, pupil) = pair();
    let mut outcomes = vec![];
    for _ in 0..400 {
        if scene.client(pupil).bye.is_none() {
            outcomes.push(scene.try_do(pupil, Command::SetTitle { to: "mine".to_owned() }));
        }
    }
    assert_eq!(outcomes[..60], [Err(Refusal::NoRight); 60]);
    assert_eq!(outcomes[60..], vec![Err(Refusal::TooFast); 201]);
    assert_eq!(scene.client(pupil).bye, Some(Goodbye::Flooding));
    scene.act(teacher, Command::SetTitle { to: "ours".to_owned() });
    let pupil = scene.join("pupil", Role::Guest);
    scene.act(pupil, Command::RaiseHand {});
}

#[test]
fn a_member_that_never_gives_a_right_command_does_not_grow_the_room() {
    let (mut scene, _, pupil) = pair();
    let before = serde_json::to_string(&scene.room.snapshot()).unwrap().len();
    for _ in 0..5_000 {
        assert!(scene.try_do(pupil, Command::Accept {}).is_err());
        scene.wait(Millis(50));
    }
    assert_eq!(serde_json::to_string(&scene.room.snapshot()).unwrap().len(), before);
}

#[test]
fn names_and_texts_that_hide_something_are_refused_and_script_is_text() {
    let (mut scene, _, pupil) = pair();
    for to in ["", " ", "a\u{202e}b", "a\nb", "\u{200b}", &"a".repeat(65), &"a".repeat(10 << 20)] {
        assert_eq!(scene.try_do(pupil, Command::Rename { to: to.to_owned() }), Err(Refusal::BadName));
    }
    scene.act(pupil, Command::Rename { to: "<script>alert(1)</script>".to_owned() });
    assert_eq!(scene.room.state().all.state.person(pupil).unwrap().name, "<script>alert(1)</script>");
    for text in ["", "a\u{2066}b", &"a".repeat(501)] {
        assert_eq!(scene.try_do(pupil, Command::Chat { text: text.to_owned() }), Err(Refusal::BadText));
    }
    let mut nameless = claims("other", Role::Guest);
    for name in [None, Some("\u{202e}".to_owned())] {
        nameless.name = name;
        let (result, outputs) = scene.room.join(&nameless, &Hello::default(), scene.now);
        assert_eq!((result, outputs.len()), (Err(Refusal::BadName), 0));
    }
    nameless.name = None;
    let (result, outputs) = scene.room.join(&nameless, &Hello { name: Some("Other".to_owned()) }, scene.now);
    scene.perform(outputs);
    assert!(result.is_ok());
}

#[test]
fn ids_that_could_be_mistaken_for_something_else_are_no_ids() {
    for bad in ["", "a b", "a/b", "../a", "a%2f", "é", &"a".repeat(65)] {
        assert_eq!(RoomId::new(bad), None, "{bad:?}");
    }
    for bad in ["", "a b", "a\u{202e}", "a\0", &"a".repeat(65)] {
        assert_eq!(UserId::new(bad), None, "{bad:?}");
    }
    assert!(UserId::new("auth0|5f7c8ec7c33c6c004bbafe82").is_some() && UserId::new("张三").is_some());
}

#[test]
fn a_message_over_the_limit_is_refused_unread() {
    let long = format!(
        r#"{{"type":"command","n":1,"command":{{"name":"chat","text":"{}"}}}}"#,
        "a".repeat(10 << 20)
    );
    let wrong = message::parse(long.as_bytes()).unwrap_err();
    assert_eq!((wrong.refusal, wrong.n), (Refusal::MessageTooLong, None));
    let fits = format!(r#"{{"type":"ping","t":1}}{}"#, " ".repeat(MESSAGE_BYTES_MAX - 21));
    assert_eq!(fits.len(), MESSAGE_BYTES_MAX);
    assert_eq!(message::parse(fits.as_bytes()), Ok(Up::Ping { t: 1 }));
}

#[test]
fn the_longest_value_of_data_fits_into_a_message_however_it_is_escaped() {
    // "\u0001" would take six bytes a character and is not what applications keep; quotes and backslashes are.
    let value = "\"".repeat(text::VALUE_BYTES_MAX);
    let command = Command::SetData { track: room::DataTrack::All, key: "k".repeat(64), value: Some(value) };
    let json = serde_json::to_vec(&Up::Command { n: u32::MAX, command }).unwrap();
    assert!(message::parse(&json).is_ok(), "{} bytes", json.len());
}

#[test]
fn every_truncation_of_a_message_is_refused() {
    let whole = br#"{"type":"command","n":7,"command":{"name":"invite","member":3}}"#;
    assert!(message::parse(whole).is_ok());
    for end in 0..whole.len() {
        assert_eq!(message::parse(&whole[..end]).unwrap_err().refusal, Refusal::BadMessage, "cut at {end}");
    }
}

#[test]
fn nesting_without_end_is_refused() {
    for deep in
        ["[".repeat(16_000), r#"{"type":"command","n":1,"command":"#.to_owned() + &r#"{"a":"#.repeat(2_000)]
    {
        assert_eq!(message::parse(deep.as_bytes()).unwrap_err().refusal, Refusal::BadMessage);
    }
}

#[test]
fn a_wrong_command_is_answered_under_its_number() {
    let wrong = message::parse(br#"{"type":"command","n":7,"command":{"name":"fly"}}"#).unwrap_err();
    assert_eq!((wrong.n, wrong.refusal), (Some(7), Refusal::BadMessage));
    let refused = Down::refused(wrong.n, wrong.refusal).to_json();
    assert!(refused.starts_with(r#"{"type":"refused","n":7,"code":"bad_message","sentence":""#), "{refused}");
}

#[test]
fn nobody_raises_themselves_by_a_command() {
    let (mut scene, _, pupil) = pair();
    for command in [
        Command::Appoint { member: pupil, role: Role::Host },
        Command::HandOver { member: pupil },
        Command::Allow { member: pupil, right: Right::Screen, allowed: true },
        Command::BringUp { member: pupil },
        Command::Invite { member: pupil },
    ] {
        assert_eq!(scene.try_do(pupil, command), Err(Refusal::NoRight));
    }
    let resumed = Resume { member: pupil, seen: Seen { all: Some(u64::MAX), ..Seen::default() } };
    let (_, outputs) = scene.room.resume(&claims("pupil", Role::Host), resumed, scene.now);
    scene.perform(outputs);
    assert_eq!(scene.role(pupil), Role::Guest, "coming back changes no role");
    assert_eq!(
        scene.client(pupil).welcomes.last().unwrap().states.len(),
        2,
        "numbers from the future get a snapshot"
    );
}

#[test]
fn a_clock_that_goes_back_is_not_followed() {
    let (mut scene, teacher, pupil) = pair();
    scene.act(pupil, Command::RaiseHand {});
    let at = scene.now;
    scene.wait(Millis::from_secs(599));
    let now = std::mem::replace(&mut scene.now, at);
    scene.act(teacher, Command::SetTitle { to: "back then".to_owned() });
    scene.now = now;
    scene.wait(Millis::from_secs(1));
    assert!(scene.room.state().hosts.state.hands.is_empty());
}
