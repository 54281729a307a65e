//! Each right of the table, tried by each standing in each template.

use room::track::{Media, Open, Reaction, Sending};
use room::{
    Actor, ChatId, Command, DataTrack, Limits, MemberId, Refusal, Right, Role, Settings, Standing, Template,
    UpOnJoin, UserId,
};

use crate::scene::Scene;

const STANDINGS: [Standing; 4] = [Standing::Host, Standing::Cohost, Standing::Speaker, Standing::Audience];

/// A room of this kind with one member of each standing, and a guest of each place to do things to.
struct Cast {
    scene: Scene,
    members: [MemberId; 4],
    /// On the stage, and not.
    others: [MemberId; 2],
}

fn cast(template: Template) -> Cast {
    let base = template.settings();
    let mut scene = Scene::new(Settings {
        limits: Limits { members: 100, stage: 10, ..base.limits },
        up_on_join: UpOnJoin::Host,
        first_hosts: false,
        ends_when_one_leaves: false,
        ..base
    });
    let host = scene.join("host", Role::Host);
    let cohost = scene.join("cohost", Role::Cohost);
    let [speaker, audience, up, down] =
        ["speaker", "audience", "up", "down"].map(|user| scene.join(user, Role::Guest));
    for member in [speaker, up] {
        scene.act(host, Command::Invite { member });
        scene.act(member, Command::Accept {});
    }
    scene.act(cohost, Command::StepUp {});
    Cast { scene, members: [host, cohost, speaker, audience], others: [up, down] }
}

/// A command that takes this right and nothing else that could refuse it for lack of a right.
fn command(right: Right, [up, down]: [MemberId; 2]) -> Option<Command> {
    let sending = Sending::default();
    Some(match right {
        Right::Sound => Command::Publish { sending: Sending { sound: true, ..sending } },
        Right::Picture => Command::Publish { sending: Sending { picture: true, ..sending } },
        Right::Screen => Command::Publish { sending: Sending { screen: true, ..sending } },
        Right::Chat => Command::Chat { text: "hello".to_owned() },
        Right::React => Command::React { reaction: Reaction::Like, times: 1 },
        // The board is not part of this crate yet: the right is asked for by whoever draws.
        Right::Draw => return None,
        Right::Hand => Command::RaiseHand {},
        Right::StepUp => Command::StepUp {},
        Right::Invite => Command::Invite { member: down },
        Right::Mute => Command::AskUnmute { member: up, media: Media::Sound },
        Right::Move => Command::TakeDown { member: up },
        Right::Allow => Command::Allow { member: up, right: Right::Draw, allowed: true },
        Right::Remove => Command::Remove { member: down },
        Right::Moderate => Command::DeleteChat { chat: ChatId(1) },
        Right::Configure => Command::SetTitle { to: "title".to_owned() },
        Right::Appoint => Command::Appoint { member: down, role: Role::Cohost },
        Right::End => Command::End {},
    })
}

#[test]
fn every_right_is_held_by_those_the_table_says_and_by_nobody_else() {
    for template in Template::ALL {
        for (standing, at) in STANDINGS.into_iter().zip(0..) {
            for right in Right::all() {
                let Cast { mut scene, members, others } = cast(template);
                let who = members[at];
                let holds = right.holds(standing, template);
                assert_eq!(
                    scene.room.may(Actor::Member(who), right),
                    holds,
                    "{template:?} {standing:?} {right:?}"
                );
                let Some(command) = command(right, others) else { continue };
                if right == Right::Moderate {
                    scene.act(others[0], Command::Chat { text: "to be deleted".to_owned() });
                }
                let result = scene.try_do(who, command);
                // Without a place on the stage there is another reason yet.
                let refused = matches!(result, Err(Refusal::NoRight | Refusal::NotOnStage));
                assert_eq!(refused, !holds, "{template:?} {standing:?} {right:?}: {result:?}");
            }
        }
    }
}

#[test]
fn a_backend_may_what_hosts_may_and_has_no_voice_of_its_own() {
    for right in Right::all() {
        let Cast { mut scene, others, .. } = cast(Template::Show);
        scene.act(others[0], Command::Chat { text: "to be deleted".to_owned() });
        let Some(command) = command(right, others) else { continue };
        let result = scene.send(Actor::Backend, 1, command);
        assert_eq!(result.is_ok(), right.is_for_backends(), "{right:?}: {result:?}");
    }
}

#[test]
fn an_exception_gives_and_takes_a_right_of_one_member_and_no_right_of_hosts() {
    for right in Right::all() {
        let Cast { mut scene, members: [host, _, speaker, audience], .. } = cast(Template::Show);
        let allow = |member, allowed| Command::Allow { member, right, allowed };
        let result = scene.try_do(host, allow(audience, true));
        assert_eq!(result, if right.is_personal() { Ok(()) } else { Err(Refusal::BadValue) }, "{right:?}");
        if right.is_personal() {
            scene.act(host, allow(speaker, false));
            assert!(
                scene.room.may(audience.into(), right) && !scene.room.may(speaker.into(), right),
                "{right:?}"
            );
        }
    }
}

#[test]
fn nothing_is_done_to_somebody_of_the_same_or_a_higher_role() {
    let Cast { scene, members: [host, cohost, speaker, _], .. } = cast(Template::Show);
    drop(scene);
    for target in [host, cohost] {
        for command in [
            Command::TakeDown { member: target },
            Command::Mute { member: target, media: Media::Sound },
            Command::Allow { member: target, right: Right::Chat, allowed: false },
            Command::Remove { member: target },
            Command::Ban { member: target },
        ] {
            let Cast { mut scene, .. } = cast(Template::Show);
            assert_eq!(scene.try_do(cohost, command.clone()), Err(Refusal::Outranked), "{command:?}");
            scene.check_journal();
        }
    }
    let Cast { mut scene, .. } = cast(Template::Show);
    scene.act(cohost, Command::TakeDown { member: speaker });
}

#[test]
fn commands_about_the_room_take_their_rights_too() {
    let open = Open { door: false, chat: false, hands: false };
    let data = Command::SetData { track: DataTrack::Hosts, key: "a".to_owned(), value: None };
    let Cast { mut scene, members: [.., audience], others: [up, _] } = cast(Template::Show);
    for command in [
        Command::SetOpen { open },
        data,
        Command::Focus { member: Some(up) },
        Command::MuteAll {},
        Command::NextHand {},
        Command::HandOver { member: audience },
        Command::Unban { user: UserId::new("x").unwrap() },
        Command::Withdraw { member: up },
    ] {
        assert_eq!(scene.try_do(audience, command.clone()), Err(Refusal::NoRight), "{command:?}");
    }
}

/// What pages read: which rights each standing has in each template, by their names on the wire.
fn as_golden() -> serde_json::Value {
    let name = |value: serde_json::Value| value.as_str().unwrap().to_owned();
    let rights = |template, standing| Right::all().filter(move |right| right.holds(standing, template));
    let columns = [
        ("host", Standing::Host),
        ("cohost", Standing::Cohost),
        ("speaker", Standing::Speaker),
        ("audience", Standing::Audience),
    ];
    let of = |template| {
        let columns =
            columns.map(|(name, standing)| (name, rights(template, standing).collect::<Vec<Right>>()));
        serde_json::to_value(std::collections::BTreeMap::from(columns)).unwrap()
    };
    Template::ALL
        .into_iter()
        .map(|template| (name(serde_json::to_value(template).unwrap()), of(template)))
        .collect()
}

#[test]
fn pages_are_told_the_same_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/signalling/rights.json");
    if std::env::var_os("OPENMIC_WRITE_SIGNALLING").is_some() {
        std::fs::write(path, serde_json::to_string_pretty(&as_golden()).unwrap() + "\n").unwrap();
    }
    let golden: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(golden, as_golden(), "OPENMIC_WRITE_SIGNALLING=1 writes it anew");
}
