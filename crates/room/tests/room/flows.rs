//! The flows of a room, each as a sentence.

use room::track::{Media, Open, Reaction, Sending};
use room::{
    Actor, ChatId, Command, Devices, Goodbye, HostPolicy, Loss, MemberId, Millis, Output, Refusal, Right,
    Role, Room, Settings, Template, UserId, Verdict,
};

use crate::scene::{Scene, claims};

const SOUND: Sending = Sending { sound: true, picture: false, screen: false };
const SCREEN: Sending = Sending { sound: false, picture: false, screen: true };

fn large() -> (Scene, MemberId, MemberId) {
    let mut scene = Scene::new(Template::ClassLarge.settings());
    let teacher = scene.join("teacher", Role::Host);
    let pupil = scene.join("pupil", Role::Guest);
    (scene, teacher, pupil)
}

fn chat(text: &str) -> Command {
    Command::Chat { text: text.to_owned() }
}

#[test]
fn a_hand_that_is_accepted_brings_its_owner_up_and_it_sends_when_it_likes() {
    let (mut scene, teacher, pupil) = large();
    assert_eq!(scene.stage(), [teacher]);
    scene.act(pupil, Command::RaiseHand {});
    assert_eq!(scene.try_do(pupil, Command::RaiseHand {}), Err(Refusal::HandIsUp));
    scene.act(teacher, Command::BringUp { member: pupil });
    assert_eq!(scene.stage(), [teacher, pupil]);
    let place = scene.room.state().all.state.place(pupil).unwrap();
    assert_eq!(place.sending, Sending::default(), "nothing is switched on for anybody");
    let paths: Vec<&str> =
        scene.room.state().stage.state.broadcasts.iter().map(|broadcast| broadcast.path.as_str()).collect();
    assert_eq!(paths, ["live/class-3/1", "live/class-3/2"]);
    scene.act(pupil, Command::Publish { sending: SOUND });
    scene.act(pupil, Command::StepDown {});
    assert_eq!(scene.stage(), [teacher]);
    assert_eq!(scene.try_do(pupil, Command::Publish { sending: SOUND }), Err(Refusal::NotOnStage));
}

#[test]
fn a_hand_is_refused_or_runs_out() {
    let (mut scene, teacher, pupil) = large();
    scene.act(pupil, Command::RaiseHand {});
    scene.act(teacher, Command::RefuseHand { member: pupil });
    assert_eq!(scene.try_do(teacher, Command::BringUp { member: pupil }), Err(Refusal::NoHand));
    scene.act(pupil, Command::RaiseHand {});
    scene.wait(Template::ClassLarge.settings().times.hand);
    assert!(scene.room.state().hosts.state.hands.is_empty());
    assert_eq!(scene.try_do(pupil, Command::LowerHand {}), Err(Refusal::NoHand));
}

#[test]
fn hands_are_answered_in_the_order_of_raising_and_everybody_knows_how_many_are_before() {
    let (mut scene, teacher, _) = large();
    let pupils: Vec<MemberId> = (0..4).map(|at| scene.join(&format!("p{at}"), Role::Guest)).collect();
    for pupil in &pupils {
        scene.act(*pupil, Command::RaiseHand {});
    }
    scene.act(pupils[1], Command::LowerHand {});
    let ahead =
        |scene: &Scene, pupil: &MemberId| scene.room.state().own[pupil].state.hand.map(|hand| hand.ahead);
    assert_eq!(
        pupils.iter().map(|p| ahead(&scene, p)).collect::<Vec<_>>(),
        [Some(0), None, Some(1), Some(2)]
    );
    scene.act(teacher, Command::NextHand {});
    scene.act(teacher, Command::NextHand {});
    assert_eq!(scene.stage(), [teacher, pupils[0], pupils[2]]);
    assert_eq!(ahead(&scene, &pupils[3]), Some(0));
}

#[test]
fn hands_that_are_closed_are_not_raised() {
    let (mut scene, teacher, pupil) = large();
    scene.act(teacher, Command::SetOpen { open: Open { door: true, chat: true, hands: false } });
    assert_eq!(scene.try_do(pupil, Command::RaiseHand {}), Err(Refusal::HandsClosed));
    assert_eq!(scene.try_do(teacher, Command::NextHand {}), Err(Refusal::NoHand));
}

#[test]
fn an_invitation_is_followed_declined_taken_back_or_runs_out() {
    let (mut scene, teacher, pupil) = large();
    let invite = Command::Invite { member: pupil };
    scene.act(teacher, invite.clone());
    assert_eq!(scene.try_do(teacher, invite.clone()), Err(Refusal::Invited));
    scene.act(pupil, Command::Decline {});
    assert_eq!(scene.try_do(pupil, Command::Accept {}), Err(Refusal::NoInvitation));
    scene.act(teacher, invite.clone());
    scene.act(teacher, Command::Withdraw { member: pupil });
    scene.act(teacher, invite.clone());
    scene.wait(Template::ClassLarge.settings().times.invitation);
    assert_eq!(scene.try_do(pupil, Command::Accept {}), Err(Refusal::NoInvitation));
    scene.act(teacher, invite.clone());
    scene.act(pupil, Command::Accept {});
    assert_eq!(scene.stage(), [teacher, pupil]);
    assert_eq!(scene.try_do(teacher, invite), Err(Refusal::OnStage));
}

#[test]
fn a_full_stage_takes_nobody_and_the_invitation_stands_until_there_is_a_place() {
    let mut settings = Template::ClassLarge.settings();
    settings.limits.stage = 1;
    let mut scene = Scene::new(settings);
    let (teacher, pupil) = (scene.join("teacher", Role::Host), scene.join("pupil", Role::Guest));
    scene.act(teacher, Command::Invite { member: pupil });
    assert_eq!(scene.try_do(pupil, Command::Accept {}), Err(Refusal::StageFull));
    scene.act(teacher, Command::StepDown {});
    scene.act(pupil, Command::Accept {});
    assert_eq!(scene.stage(), [pupil]);
}

#[test]
fn whoever_is_taken_down_sends_nothing_and_reads_the_stage_no_longer() {
    let (mut scene, teacher, pupil) = large();
    scene.act(pupil, Command::RaiseHand {});
    scene.act(teacher, Command::NextHand {});
    scene.act(teacher, Command::Focus { member: Some(pupil) });
    scene.act(teacher, Command::TakeDown { member: pupil });
    assert_eq!((scene.stage(), scene.room.state().all.state.focus), (vec![teacher], None));
    assert_eq!(scene.client(pupil).views.keys().copied().collect::<Vec<_>>(), [0, 3]);
}

#[test]
fn muting_switches_off_and_nobody_but_the_member_switches_on() {
    let (mut scene, teacher, pupil) = large();
    scene.act(pupil, Command::RaiseHand {});
    scene.act(teacher, Command::NextHand {});
    scene.act(pupil, Command::Publish { sending: SOUND });
    scene.act(teacher, Command::Publish { sending: SOUND });
    let sounds = |scene: &Scene| {
        scene.room.state().all.state.stage.iter().map(|p| p.sending.sound).collect::<Vec<_>>()
    };
    scene.act(teacher, Command::MuteAll {});
    assert_eq!(sounds(&scene), [true, false], "hosts are not muted with all");
    scene.act(teacher, Command::AskUnmute { member: pupil, media: Media::Sound });
    assert_eq!(
        (sounds(&scene), &scene.room.state().own[&pupil].state.asked[..]),
        (vec![true, false], &[Media::Sound][..])
    );
    scene.act(pupil, Command::Publish { sending: SOUND });
    assert_eq!((sounds(&scene), scene.room.state().own[&pupil].state.asked.len()), (vec![true, true], 0));
    scene.act(teacher, Command::Mute { member: pupil, media: Media::Sound });
    scene.act(teacher, Command::Allow { member: pupil, right: Right::Sound, allowed: false });
    assert_eq!(scene.try_do(pupil, Command::Publish { sending: SOUND }), Err(Refusal::NoRight));
}

#[test]
fn a_screen_is_shown_by_one_at_a_time_and_by_a_guest_only_when_allowed() {
    let (mut scene, teacher, pupil) = large();
    scene.act(pupil, Command::RaiseHand {});
    scene.act(teacher, Command::NextHand {});
    let show = Command::Publish { sending: SCREEN };
    assert_eq!(scene.try_do(pupil, show.clone()), Err(Refusal::NoRight));
    scene.act(teacher, Command::Allow { member: pupil, right: Right::Screen, allowed: true });
    scene.act(pupil, show.clone());
    assert_eq!(scene.try_do(teacher, show), Err(Refusal::ScreenTaken));
    scene.act(teacher, Command::Allow { member: pupil, right: Right::Screen, allowed: false });
    assert!(!scene.room.state().all.state.place(pupil).unwrap().sending.screen);
}

#[test]
fn a_locked_room_lets_nobody_new_in_but_hosts_and_those_who_come_back() {
    let (mut scene, teacher, pupil) = large();
    scene.act(teacher, Command::SetOpen { open: Open { door: false, chat: true, hands: true } });
    assert_eq!(scene.try_join("late", Role::Guest), Err(Refusal::Locked));
    scene.lose(pupil);
    assert_eq!(scene.join("pupil", Role::Guest), pupil);
    scene.join("helper", Role::Cohost);
}

#[test]
fn a_banned_user_does_not_come_back_under_another_name_until_the_ban_is_lifted() {
    let (mut scene, teacher, pupil) = large();
    scene.act(pupil, Command::Rename { to: "Somebody Else".to_owned() });
    scene.act(teacher, Command::Ban { member: pupil });
    assert_eq!(scene.client(pupil).bye, Some(Goodbye::Banned));
    let mut renamed = claims("pupil", Role::Guest);
    renamed.name = Some("New Name".to_owned());
    let (result, outputs) = scene.room.join(&renamed, &Default::default(), scene.now);
    scene.perform(outputs);
    assert_eq!(result, Err(Refusal::Banned));
    assert_eq!(scene.resume("pupil", pupil), Err(Refusal::Banned));
    let user = UserId::new("pupil").unwrap();
    scene.act(teacher, Command::Unban { user });
    assert_ne!(scene.join("pupil", Role::Guest), pupil, "it comes back as a new member");
}

#[test]
fn a_removed_member_may_come_back_and_a_host_cannot_be_removed_by_a_cohost() {
    let (mut scene, teacher, pupil) = large();
    let helper = scene.join("helper", Role::Cohost);
    assert_eq!(scene.try_do(helper, Command::Remove { member: teacher }), Err(Refusal::Outranked));
    scene.act(helper, Command::Remove { member: pupil });
    assert_eq!(scene.client(pupil).bye, Some(Goodbye::Removed));
    scene.join("pupil", Role::Guest);
    assert_eq!(
        scene.send(Actor::Backend, 1, Command::Remove { member: teacher }),
        Ok(()),
        "the back-end outranks all"
    );
}

fn with_devices(devices: Devices) -> (Scene, MemberId) {
    let mut scene = Scene::new(Settings { devices, ..Template::ClassSmall.settings() });
    let first = scene.join("ann", Role::Guest);
    scene.act(first, Command::Publish { sending: SOUND });
    (scene, first)
}

#[test]
fn a_second_device_is_refused_takes_over_or_joins_as_the_policy_says() {
    let (mut scene, _) = with_devices(Devices::Refuse);
    assert_eq!(scene.try_join("ann", Role::Guest), Err(Refusal::SecondDevice));

    let (mut scene, first) = with_devices(Devices::Replace);
    assert_eq!(scene.join("ann", Role::Guest), first);
    let closes = scene.last.iter().position(|o| matches!(o, Output::Close { reason: Goodbye::Replaced, .. }));
    let welcomes = scene.last.iter().position(|o| matches!(o, Output::Welcome { .. }));
    assert!(closes.is_some() && closes < welcomes, "the old connection is closed before the new one begins");
    assert_eq!(scene.room.state().all.state.place(first).unwrap().sending, Sending::default());
    scene.act(first, Command::Publish { sending: SOUND });

    let (mut scene, first) = with_devices(Devices::Both);
    assert_ne!(scene.join("ann", Role::Guest), first);
    assert_eq!(scene.stage().len(), 2);
}

#[test]
fn whatever_the_policy_a_device_without_a_connection_is_taken_over() {
    for devices in [Devices::Refuse, Devices::Replace, Devices::Both] {
        let (mut scene, first) = with_devices(devices);
        scene.lose(first);
        assert_eq!(scene.join("ann", Role::Guest), first, "{devices:?}");
    }
}

#[test]
fn a_host_hands_over_and_stays_as_a_cohost() {
    let (mut scene, teacher, pupil) = large();
    scene.act(teacher, Command::HandOver { member: pupil });
    assert_eq!((scene.role(teacher), scene.role(pupil)), (Role::Cohost, Role::Host));
    assert_eq!(scene.try_do(teacher, Command::End {}), Err(Refusal::NoRight));
    scene.act(pupil, Command::Appoint { member: teacher, role: Role::Guest });
    assert_eq!(
        scene.client(teacher).views.keys().copied().collect::<Vec<_>>(),
        [0, 1, 3],
        "still on the stage"
    );
}

#[test]
fn a_host_who_drops_and_comes_back_in_time_hosts_on() {
    let (mut scene, teacher, _) = large();
    scene.lose(teacher);
    assert!(scene.room.state().all.state.host_until.is_some(), "everybody knows how long is waited");
    scene.wait(Millis::from_secs(60));
    assert!(!scene.room.state().own.contains_key(&teacher), "its place is gone, and still it is waited for");
    let teacher = scene.join("teacher", Role::Guest);
    assert_eq!(scene.role(teacher), Role::Host, "whoever hosted last hosts again, whatever the token says");
    assert_eq!(scene.room.state().all.state.host_until, None);
}

fn show(policy: HostPolicy) -> (Scene, MemberId, MemberId) {
    let mut scene = Scene::new(Settings { host_policy: policy, ..Template::Show.settings() });
    let host = scene.join("host", Role::Host);
    let helper = scene.join("helper", Role::Cohost);
    scene.join("guest", Role::Guest);
    (scene, host, helper)
}

#[test]
fn when_a_host_stays_away_the_policy_ends_promotes_or_waits() {
    for (policy, ended, promoted) in [
        (HostPolicy::End, Some(Goodbye::HostLeft), Role::Cohost),
        (HostPolicy::Promote, None, Role::Host),
        (HostPolicy::Wait, None, Role::Cohost),
    ] {
        let (mut scene, host, helper) = show(policy);
        scene.lose(host);
        scene.wait(Millis::from_secs(121));
        assert_eq!((scene.ended, scene.role(helper)), (ended, promoted), "{policy:?}");
        let (mut scene, host, helper) = show(policy);
        scene.act(host, Command::Leave {});
        assert_eq!(
            (scene.ended, scene.role(helper)),
            (ended, promoted),
            "{policy:?}, at once when it leaves"
        );
    }
}

#[test]
fn a_call_rings_is_answered_and_ends_when_one_hangs_up() {
    let mut scene = Scene::new(Template::Call.settings());
    let ann = scene.join("ann", Role::Guest);
    assert_eq!(scene.role(ann), Role::Host);
    assert!(scene.room.state().all.state.ringing_until.is_some());
    let bob = scene.join("bob", Role::Guest);
    assert_eq!(scene.room.state().all.state.ringing_until, None);
    assert_eq!(scene.stage(), [ann, bob]);
    assert_eq!(scene.try_join("eve", Role::Guest), Err(Refusal::Full));
    scene.act(bob, Command::Leave {});
    assert_eq!((scene.client(ann).bye, scene.ended), (Some(Goodbye::HungUp), Some(Goodbye::HungUp)));
}

#[test]
fn a_call_nobody_answers_times_out_and_one_that_is_declined_says_so() {
    let mut scene = Scene::new(Template::Call.settings());
    let ann = scene.join("ann", Role::Guest);
    scene.wait(Millis::from_secs(45));
    assert_eq!(scene.client(ann).bye, Some(Goodbye::NoAnswer));

    let mut scene = Scene::new(Template::Call.settings());
    let ann = scene.join("ann", Role::Guest);
    assert_eq!(scene.room.decline(&claims("ann", Role::Guest), scene.now).0, Err(Refusal::NotRinging));
    let (result, outputs) = scene.room.decline(&claims("bob", Role::Guest), scene.now);
    scene.perform(outputs);
    assert_eq!((result, scene.client(ann).bye), (Ok(()), Some(Goodbye::CallDeclined)));
}

#[test]
fn a_lost_member_keeps_its_place_and_resumes_with_what_it_missed() {
    let (mut scene, teacher, pupil) = large();
    scene.act(pupil, Command::RaiseHand {});
    scene.act(teacher, Command::NextHand {});
    scene.act(pupil, Command::Publish { sending: SOUND });
    scene.lose(pupil);
    scene.act(teacher, chat("are you there?"));
    scene.wait(Millis::from_secs(5));
    assert!(scene.room.state().all.state.place(pupil).unwrap().sending.sound, "its media goes on");
    assert_eq!(scene.resume("pupil", pupil), Ok(pupil));
    let welcome = scene.client(pupil).welcomes.last().unwrap().clone();
    assert_eq!(welcome.states, [], "nothing is sent twice");
    assert!(welcome.deltas.len() >= 3, "away, said, back");
    assert_eq!(welcome.answered, 2);
}

#[test]
fn who_leaves_the_page_is_waited_for_as_long_as_loading_it_anew_takes() {
    let (mut scene, _, pupil) = large();
    scene.lose_by(pupil, Loss::Page);
    scene.wait(Millis::from_secs(9));
    assert_eq!(scene.join("pupil", Role::Guest), pupil, "the same member goes on");
    scene.lose_by(pupil, Loss::Page);
    scene.wait(Millis::from_secs(10));
    assert_eq!(scene.room.state().own.len(), 1, "nobody came back");
}

#[test]
fn a_member_that_missed_too_much_gets_a_snapshot() {
    let (mut scene, teacher, pupil) = large();
    scene.lose(pupil);
    for at in 0..600 {
        scene.act(teacher, Command::SetTitle { to: format!("title {at}") });
        scene.wait(Millis(50));
    }
    scene.wait(Millis::from_secs(0));
    assert_eq!(scene.room.state().own.len(), 1, "grace is over");
    assert_eq!(scene.resume("pupil", pupil), Err(Refusal::UnknownMember));
    let pupil = scene.join("pupil", Role::Guest);
    scene.lose(pupil);
    for at in 0..600 {
        scene.act(teacher, Command::SetTitle { to: format!("title {at}") });
        scene.wait(Millis(49));
    }
    assert_eq!(scene.resume("pupil", pupil), Ok(pupil));
    let welcome = scene.client(pupil).welcomes.last().unwrap().clone();
    assert_eq!(
        (welcome.states.len(), welcome.deltas.len()),
        (1, 2),
        "of all whole, of its own away and back"
    );
}

#[test]
fn chat_is_kept_to_its_limit_and_deleted_by_its_author_or_a_host() {
    let (mut scene, teacher, pupil) = large();
    for at in 0..120 {
        scene.act(teacher, chat(&format!("line {at}")));
        scene.wait(Millis::from_secs(1));
    }
    let lines = &scene.room.state().all.state.chat;
    assert_eq!((lines.len(), lines[0].text.as_str()), (100, "line 20"));
    scene.act(pupil, chat("mine"));
    let (theirs, mine) = (ChatId(120), ChatId(121));
    assert_eq!(scene.try_do(pupil, Command::DeleteChat { chat: theirs }), Err(Refusal::NoRight));
    scene.act(pupil, Command::DeleteChat { chat: mine });
    assert_eq!(scene.try_do(teacher, Command::DeleteChat { chat: mine }), Err(Refusal::NotFound));
    scene.act(teacher, Command::DeleteChat { chat: theirs });
    assert_eq!(scene.room.state().all.state.chat.len(), 98);
}

#[test]
fn chat_has_a_pace_for_each_and_is_closed_for_guests_alone() {
    let (mut scene, teacher, pupil) = large();
    let said = (0..10).filter(|_| scene.try_do(pupil, chat("hi")).is_ok()).count();
    assert_eq!(said, 5);
    assert_eq!(scene.try_do(pupil, chat("hi")), Err(Refusal::TooFast));
    scene.wait(Millis::from_secs(10));
    scene.act(teacher, Command::SetOpen { open: Open { door: true, chat: false, hands: true } });
    assert_eq!(scene.try_do(pupil, chat("hi")), Err(Refusal::ChatClosed));
    scene.act(teacher, chat("quiet, please"));
}

#[test]
fn moderated_chat_is_delivered_altered_or_refused_by_the_verdict_and_refused_without_one() {
    let mut scene = Scene::new(Settings { moderated: true, ..Template::Show.settings() });
    let guest = scene.join("guest", Role::Guest);
    let asked = |scene: &Scene| {
        scene.last.iter().find_map(|o| match o {
            Output::Moderate { chat, .. } => Some(*chat),
            _ => None,
        })
    };
    for (verdict, heard) in [
        (Verdict::Deliver, 1),
        (Verdict::Instead("***".to_owned()), 2),
        (Verdict::Refuse, 2),
        (Verdict::Deliver, 3),
    ] {
        scene.act(guest, chat("hello"));
        let before = scene.room.state().all.state.chat.len();
        let line = asked(&scene).unwrap();
        assert_eq!(scene.room.state().all.state.chat.len(), before, "nobody hears it before the verdict");
        let outputs = scene.room.judge(line, verdict, scene.now);
        scene.perform(outputs);
        assert_eq!(scene.room.state().all.state.chat.len(), heard);
        let outputs = scene.room.judge(line, Verdict::Deliver, scene.now);
        assert_eq!(outputs, [], "a second verdict changes nothing");
    }
    scene.wait(Millis::from_secs(10));
    scene.act(guest, chat("hello"));
    scene.wait(Millis::from_secs(6));
    assert_eq!((scene.room.state().all.state.chat.len(), scene.room.state().hidden.held.len()), (3, 0));
}

#[test]
fn thousands_of_reactions_are_told_four_times_a_second() {
    let mut scene = Scene::new(Template::Show.settings());
    let members: Vec<MemberId> = (0..100).map(|at| scene.join(&format!("u{at}"), Role::Guest)).collect();
    scene.wait(Millis::from_secs(2));
    let before = scene.room.state().all.n;
    for member in &members {
        scene.act(*member, Command::React { reaction: Reaction::Clap, times: 20 });
        scene.act(*member, Command::React { reaction: Reaction::Love, times: 20 });
        assert_eq!(
            scene.try_do(*member, Command::React { reaction: Reaction::Love, times: 1 }),
            Err(Refusal::TooFast)
        );
    }
    scene.wait(Millis(250));
    assert_eq!(scene.room.state().all.n - before, 1, "one message for 4,000 reactions");
    assert_eq!(scene.room.state().all.state.reactions.iter().map(|count| count.count).sum::<u64>(), 4_000);
}

#[test]
fn an_audience_beyond_the_list_is_counted_and_its_joins_are_not_told() {
    let mut scene = Scene::new(Template::Show.settings());
    let host = scene.join("host", Role::Host);
    for at in 0..49 {
        scene.join(&format!("listed{at}"), Role::Guest);
    }
    let before = scene.client(host).messages;
    let crowd: Vec<MemberId> = (0..300).map(|at| scene.join(&format!("crowd{at}"), Role::Guest)).collect();
    scene.wait(Millis::from_secs(1));
    assert_eq!(scene.client(host).messages - before, 1, "one count for 300 joins");
    assert_eq!(
        (scene.room.state().all.state.members.len(), scene.room.state().all.state.audience),
        (50, 300)
    );
    scene.act(crowd[7], Command::RaiseHand {});
    scene.act(host, Command::NextHand {});
    assert!(scene.room.state().all.state.person(crowd[7]).is_some(), "whoever is on the stage is listed");
    scene.act(crowd[7], Command::StepDown {});
    assert!(scene.room.state().all.state.person(crowd[7]).is_none(), "and is counted again afterwards");
}

#[test]
fn a_large_room_is_full_for_guests_a_little_earlier_than_for_hosts() {
    let mut settings = Template::Show.settings();
    settings.limits.members = 50;
    let mut scene = Scene::new(settings);
    for at in 0..45 {
        scene.join(&format!("u{at}"), Role::Guest);
    }
    assert_eq!(scene.try_join("late", Role::Guest), Err(Refusal::Full));
    let host = scene.join("host", Role::Host);
    assert_eq!(scene.role(host), Role::Host);
}

#[test]
fn data_is_set_read_by_its_track_alone_and_limited() {
    let (mut scene, teacher, pupil) = large();
    let set = |track, key: &str, value: Option<&str>| Command::SetData {
        track,
        key: key.to_owned(),
        value: value.map(str::to_owned),
    };
    use room::DataTrack::{All, Hosts, Stage};
    for track in [All, Stage, Hosts] {
        scene.act(teacher, set(track, "slide", Some("7")));
    }
    assert_eq!(scene.client(pupil).views.len(), 2, "the pupil reads all and its own");
    scene.act(teacher, set(All, "slide", None));
    assert_eq!(scene.try_do(teacher, set(All, "slide", None)), Err(Refusal::NotFound));
    assert_eq!(scene.try_do(teacher, set(All, "a b", Some("1"))), Err(Refusal::BadValue));
    assert_eq!(scene.try_do(teacher, set(All, "a", Some(&"x".repeat(4_097)))), Err(Refusal::BadValue));
    for at in 0..7 {
        scene.act(teacher, set(All, &format!("k{at}"), Some(&"x".repeat(4_096))));
    }
    assert_eq!(scene.try_do(teacher, set(All, "k8", Some(&"x".repeat(4_096)))), Err(Refusal::DataFull));
}

#[test]
fn a_room_nobody_is_in_ends_after_a_while_and_one_that_ended_takes_no_command() {
    let (mut scene, teacher, pupil) = large();
    scene.act(pupil, Command::Leave {});
    scene.act(teacher, Command::End {});
    assert_eq!(scene.client(teacher).bye, Some(Goodbye::EndedByHost));
    assert_eq!(scene.try_join("late", Role::Guest), Err(Refusal::Ended));
    assert_eq!(scene.send(Actor::Backend, 1, Command::End {}), Err(Refusal::Ended));

    let mut scene = Scene::new(Template::Meeting.settings());
    let ann = scene.join("ann", Role::Guest);
    scene.act(ann, Command::Leave {});
    assert_eq!(scene.ended, None);
    scene.wait(Template::Meeting.settings().times.empty);
    assert_eq!(scene.ended, Some(Goodbye::Empty));
    assert_eq!(scene.room.poll_timeout(), None);
}

#[test]
fn a_restarted_server_has_every_room_and_its_members_come_back_to_what_they_missed() {
    let (mut scene, teacher, pupil) = large();
    scene.act(pupil, Command::RaiseHand {});
    scene.act(teacher, chat("welcome"));
    let expected = scene.room.state().all.state.chat.clone();
    let (room, outputs) = Room::restore(scene.first.clone(), &scene.journal, scene.now);
    scene.room = room;
    scene.clients.values_mut().for_each(|client| client.connected = false);
    scene.perform(outputs);
    assert_eq!(scene.room.state().all.state.chat, expected);
    assert_eq!(scene.resume("teacher", teacher), Ok(teacher));
    let welcome = scene.client(teacher).welcomes.last().unwrap().clone();
    assert_eq!((welcome.states.len(), welcome.answered), (0, 1), "the journal is enough for what was missed");
    scene.act(teacher, Command::NextHand {});
    assert_eq!(scene.stage(), [teacher, pupil]);
    scene.wait(Millis::from_secs(31));
    assert!(!scene.room.state().own.contains_key(&pupil), "whoever does not come back loses the place");
}

#[test]
fn a_drain_tells_everybody_another_moment_to_come_back() {
    let mut scene = Scene::new(Template::ClassSmall.settings());
    for at in 0..10 {
        scene.join(&format!("u{at}"), Role::Guest);
    }
    let outputs = scene.room.drain(Millis(500), Millis(5_000), scene.now);
    let after: Vec<u64> = outputs
        .iter()
        .filter_map(|o| match o {
            Output::Drain { after, .. } => Some(after.0),
            _ => None,
        })
        .collect();
    assert_eq!(after, (0..10).map(|at| 500 + at * 500).collect::<Vec<u64>>());
}
