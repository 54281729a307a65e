//! What holds whatever members do, and however the network treats them.

use std::collections::BTreeSet;

use proptest::prelude::*;
use room::track::{Media, Open, Reaction, Sending};
use room::{
    Actor, ChatId, Command, DataTrack, Devices, HostPolicy, Limits, MemberId, Millis, Right, Role, Room,
    Settings, Snapshot, Template, UserId,
};

use crate::scene::Scene;

const USERS: u32 = 9;

#[derive(Clone, Debug)]
enum Step {
    Join {
        user: u32,
        role: Role,
    },
    Lose {
        member: MemberId,
    },
    Resume {
        user: u32,
        member: MemberId,
    },
    Do {
        member: MemberId,
        command: Command,
    },
    /// The host does something, if there is one: most of what changes others is up to it.
    Lead {
        command: Command,
    },
    Backend {
        command: Command,
    },
    Wait {
        ms: u64,
    },
    Restart,
}

fn member() -> impl Strategy<Value = MemberId> {
    (1..14_u32).prop_map(MemberId)
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![5 => Just(Role::Guest), 1 => Just(Role::Cohost), 1 => Just(Role::Host)]
}

fn media() -> impl Strategy<Value = Media> {
    prop_oneof![Just(Media::Sound), Just(Media::Picture), Just(Media::Screen)]
}

fn about_oneself() -> impl Strategy<Value = Command> {
    let sending = any::<[bool; 3]>().prop_map(|[sound, picture, screen]| Sending { sound, picture, screen });
    prop_oneof![
        1 => Just(Command::Leave {}),
        1 => Just(Command::Rename { to: "Other".to_owned() }),
        3 => Just(Command::StepUp {}),
        1 => Just(Command::StepDown {}),
        4 => sending.prop_map(|sending| Command::Publish { sending }),
        6 => Just(Command::RaiseHand {}),
        1 => Just(Command::LowerHand {}),
        4 => Just(Command::Accept {}),
        1 => Just(Command::Decline {}),
        3 => "[a-z\u{202e}]{0,5}".prop_map(|text| Command::Chat { text }),
        2 => (0..25_u32).prop_map(|times| Command::React { reaction: Reaction::Like, times }),
    ]
}

fn about_others() -> impl Strategy<Value = Command> {
    let mut rights = Right::all().collect::<Vec<_>>();
    rights.extend([Right::Sound, Right::Picture, Right::Screen].repeat(5));
    prop_oneof![
        2 => member().prop_map(|member| Command::BringUp { member }),
        3 => Just(Command::NextHand {}),
        1 => member().prop_map(|member| Command::RefuseHand { member }),
        4 => member().prop_map(|member| Command::Invite { member }),
        1 => member().prop_map(|member| Command::Withdraw { member }),
        1 => member().prop_map(|member| Command::TakeDown { member }),
        2 => (member(), media()).prop_map(|(member, media)| Command::Mute { member, media }),
        1 => Just(Command::MuteAll {}),
        2 => (member(), media()).prop_map(|(member, media)| Command::AskUnmute { member, media }),
        4 => (member(), prop::sample::select(rights), any::<bool>())
            .prop_map(|(member, right, allowed)| Command::Allow { member, right, allowed }),
        1 => member().prop_map(|member| Command::Remove { member }),
        1 => member().prop_map(|member| Command::Ban { member }),
        2 => (0..USERS).prop_map(|user| Command::Unban { user: UserId::new(&format!("u{user}")).unwrap() }),
        2 => (member(), role()).prop_map(|(member, role)| Command::Appoint { member, role }),
        2 => member().prop_map(|member| Command::HandOver { member }),
    ]
}

fn about_the_room() -> impl Strategy<Value = Command> {
    let track = prop_oneof![Just(DataTrack::All), Just(DataTrack::Stage), Just(DataTrack::Hosts)];
    prop_oneof![
        8 => any::<[bool; 3]>()
            .prop_map(|[door, chat, hands]| Command::SetOpen { open: Open { door, chat, hands } }),
        4 => "[a-z]{0,5}".prop_map(|to| Command::SetTitle { to }),
        8 => (track, "[ab]", prop::option::of("[a-z]{0,4}"))
            .prop_map(|(track, key, value)| Command::SetData { track, key, value }),
        8 => prop::option::of(member()).prop_map(|member| Command::Focus { member }),
        8 => (1..9_u64).prop_map(|chat| Command::DeleteChat { chat: ChatId(chat) }),
        1 => Just(Command::End {}),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![5 => about_oneself(), 4 => about_others(), 1 => about_the_room()]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..USERS, role()).prop_map(|(user, role)| Step::Join { user, role }),
        3 => member().prop_map(|member| Step::Lose { member }),
        3 => (0..USERS, member()).prop_map(|(user, member)| Step::Resume { user, member }),
        20 => (member(), command()).prop_map(|(member, command)| Step::Do { member, command }),
        12 => prop_oneof![4 => about_others(), 1 => about_the_room()].prop_map(|command| Step::Lead { command }),
        2 => command().prop_map(|command| Step::Backend { command }),
        4 => prop_oneof![3 => 0..2_000_u64, 1 => 0..200_000_u64].prop_map(|ms| Step::Wait { ms }),
        1 => Just(Step::Restart),
    ]
}

/// Small enough that every limit is met.
fn settings() -> impl Strategy<Value = Settings> {
    let template = prop::sample::select(Template::ALL.to_vec());
    let devices = prop_oneof![Just(Devices::Refuse), Just(Devices::Replace), Just(Devices::Both)];
    let policy = prop_oneof![Just(HostPolicy::End), Just(HostPolicy::Promote), Just(HostPolicy::Wait)];
    (template, devices, policy, any::<bool>()).prop_map(|(template, devices, host_policy, moderated)| {
        let limits = Limits { members: 7, stage: 3, listed: 4, hands: 3, invitations: 2, chat_kept: 3 };
        Settings { limits, devices, host_policy, moderated, ..template.settings() }
    })
}

impl Scene {
    fn step(&mut self, step: Step) {
        match step {
            Step::Join { user, role } => {
                let _ = self.try_join(&format!("u{user}"), role);
            }
            Step::Lose { member } => {
                let member = self.somebody(member);
                if self.clients.get(&member).is_some_and(|client| client.connected) {
                    self.lose(member);
                }
            }
            Step::Resume { user, member } => {
                let member = self.somebody(member);
                let own = self.room.state().own.get(&member).map(|own| own.state.user.as_str().to_owned());
                // One in nine tries to be somebody else.
                let user = own.filter(|_| user != 0).unwrap_or_else(|| format!("u{user}"));
                let _ = self.resume(&user, member);
            }
            Step::Do { member, command } => {
                let (member, command) = (self.somebody(member), self.aim(command));
                if self.clients.contains_key(&member) {
                    let _ = self.try_do(member, command);
                }
            }
            Step::Lead { command } => {
                let members = self.room.state().own.values();
                let host = members.map(|own| &own.state).find(|own| own.role == Role::Host).map(|own| own.id);
                if let Some(host) = host {
                    let command = self.aim(command);
                    let _ = self.try_do(host, command);
                }
            }
            Step::Backend { command } => {
                let command = self.aim(command);
                let _ = self.send(Actor::Backend, 0, command);
            }
            Step::Wait { ms } => self.wait(Millis(ms)),
            Step::Restart => self.restart(),
        }
    }

    /// A member of the room for most numbers; numbers rise as members come and go, and random ones would miss.
    fn somebody(&self, member: MemberId) -> MemberId {
        let members: Vec<MemberId> = self.room.state().own.keys().copied().collect();
        let miss = members.is_empty() || member.0 == 13;
        if miss { member } else { members[member.0 as usize % members.len()] }
    }

    /// The same command about a member that is there.
    fn aim(&self, command: Command) -> Command {
        let mut json = serde_json::to_value(command).unwrap();
        if let Some(number) = json.get("member").and_then(serde_json::Value::as_u64) {
            let member = self.somebody(MemberId(u32::try_from(number).unwrap()));
            json["member"] = serde_json::to_value(member).unwrap();
        }
        serde_json::from_value(json).unwrap()
    }

    /// As a server that was killed: what was written is all there is.
    fn restart(&mut self) {
        let first = serde_json::to_string(&self.first).unwrap();
        let journal = serde_json::to_string(&self.journal).unwrap();
        let first: Snapshot = serde_json::from_str(&first).unwrap();
        let journal: Vec<_> = serde_json::from_str(&journal).unwrap();
        let (room, outputs) = Room::restore(first, &journal, self.now);
        self.room = room;
        self.clients.values_mut().for_each(|client| client.connected = false);
        self.perform(outputs);
    }

    fn check_invariants(&self) {
        let state = self.room.state();
        let (all, hosts) = (&state.all.state, &state.hosts.state);
        let limits = state.settings.limits;
        assert!(state.own.values().filter(|own| own.state.role == Role::Host).count() <= 1, "one host");
        assert!(all.stage.len() <= limits.stage as usize && state.own.len() <= limits.members as usize);
        let on_stage: BTreeSet<MemberId> = all.stage.iter().map(|place| place.member).collect();
        assert_eq!(on_stage.len(), all.stage.len(), "one place each");
        assert!(all.stage.iter().filter(|place| place.sending.screen).count() <= 1, "one screen");
        assert!(all.focus.is_none_or(|member| on_stage.contains(&member)));
        for place in &all.stage {
            for (media, right) in [
                (Media::Sound, Right::Sound),
                (Media::Picture, Right::Picture),
                (Media::Screen, Right::Screen),
            ] {
                assert!(
                    !place.sending.has(media) || self.room.may(place.member.into(), right),
                    "nobody sends what they may not: {place:?}"
                );
            }
        }
        let broadcasts: Vec<MemberId> = state.stage.state.broadcasts.iter().map(|b| b.member).collect();
        assert_eq!(broadcasts, self.stage(), "a broadcast for each place");
        assert!(
            hosts.hands.is_sorted_by_key(|hand| hand.since) && hosts.hands.len() <= limits.hands as usize
        );
        assert!(
            hosts.invitations.len() <= limits.invitations as usize
                && all.chat.len() <= limits.chat_kept as usize
        );
        assert!(
            all.ended.is_none() || self.room.connected().next().is_none(),
            "nobody is in a room that is over"
        );
        self.check_records();
    }

    /// What a member sees of itself is what others see of it.
    fn check_records(&self) {
        let state = self.room.state();
        let (all, hosts) = (&state.all.state, &state.hosts.state);
        for (id, own) in &state.own {
            let own = &own.state;
            let ahead = hosts.hands.iter().position(|hand| hand.member == *id);
            assert_eq!(own.hand.map(|hand| hand.ahead as usize), ahead);
            assert_eq!(
                own.invited_until,
                hosts.invitations.iter().find(|i| i.member == *id).map(|i| i.until)
            );
            let person = all.person(*id);
            assert_eq!(own.listed, person.is_some());
            let known = person.map(|p| (p.name.as_str(), p.role, p.away));
            assert!(
                known.is_none_or(|known| known == (own.name.as_str(), own.role, own.away_until.is_some()))
            );
            assert!(
                own.listed || own.role == Role::Guest && all.place(*id).is_none(),
                "hosts and stage are listed"
            );
            assert!(!hosts.has_banned(&own.user), "nobody banned is here");
            assert!(state.hidden.members_of(&own.user).contains(id));
        }
        let there = |member: &MemberId| state.own.contains_key(member);
        assert!(
            all.members.iter().all(|person| there(&person.id))
                && hosts.hands.iter().all(|h| there(&h.member))
        );
        assert_eq!(state.hidden.users.values().map(Vec::len).sum::<usize>(), state.own.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn whatever_members_do_the_invariants_hold_and_what_was_written_makes_the_same_room(
        settings in settings(),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut scene = Scene::new(settings);
        for step in steps {
            scene.step(step);
            scene.check_invariants();
        }
        scene.check_journal();
    }
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

#[test]
fn a_thousand_members_with_bad_networks_miss_nothing_and_end_up_where_they_should() {
    let mut scene = Scene::new(Template::ClassLarge.settings());
    // Comparing a thousand clients after every step would take minutes; once a second is enough.
    scene.checks = false;
    let teacher = scene.join("teacher", Role::Host);
    let crowd: Vec<MemberId> = (0..1_000).map(|at| scene.join(&format!("u{at}"), Role::Guest)).collect();
    let mut dice = Dice(7);
    let mut lost: Vec<(usize, MemberId)> = vec![];
    for second in 0..60_u64 {
        for _ in 0..8 {
            let at = dice.roll(1_000) as usize;
            if scene.clients[&crowd[at]].connected {
                scene.lose(crowd[at]);
                lost.push((at, crowd[at]));
            }
        }
        let talker = crowd[dice.roll(1_000) as usize];
        if scene.clients[&talker].connected {
            let _ = scene.try_do(talker, Command::RaiseHand {});
        }
        if second % 5 == 0 {
            let _ = scene.try_do(teacher, Command::NextHand {});
        }
        // Half of those that were lost come back within the second, the others after nine.
        for (at, member) in std::mem::take(&mut lost) {
            if dice.roll(2) == 0 || second % 10 == 9 {
                assert_eq!(scene.resume(&format!("u{at}"), member), Ok(member));
            } else {
                lost.push((at, member));
            }
        }
        scene.wait(Millis::from_secs(1));
        scene.check();
    }
    scene.wait(Millis::from_secs(31));
    scene.check();
    let gone = lost.len();
    assert_eq!(scene.room.state().own.len(), 1_001 - gone);
    scene.wait(Millis::from_secs(1));
    let all = &scene.room.state().all.state;
    assert_eq!(all.members.len() + all.audience as usize, 1_001 - gone);
    assert_eq!(all.stage.len(), 9, "the stage has filled to its limit");
    scene.check_invariants();
    scene.check_journal();
}
