//! Messages of rooms, one a line, from three members in turn: none panics, and what was written makes the same room.
#![no_main]

use libfuzzer_sys::fuzz_target;
use room::message::{self, Down, Up};
use room::{
    Change, Claims, Hello, Loss, MemberId, Millis, Moment, Output, Outputs, Resume, Role, Room, RoomId,
    Template, UserId,
};

const USERS: [(&str, Role); 3] = [("host", Role::Host), ("speaker", Role::Guest), ("guest", Role::Guest)];

fn claims(at: usize) -> Claims {
    let (user, role) = USERS[at % USERS.len()];
    Claims {
        room: RoomId::new("fuzz").expect("a plain name"),
        user: UserId::new(user).expect("a plain name"),
        name: Some(user.to_owned()),
        role,
        info: String::new(),
    }
}

/// What came out can be sent, and is kept for the end.
fn perform(outputs: Outputs, journal: &mut Vec<Change>) {
    for output in outputs {
        match output {
            Output::Persist(changes) => journal.extend(changes),
            other => drop(Down::of(other).map(|down| down.to_json())),
        }
    }
}

fn handle(room: &mut Room, at: usize, up: Up, now: Moment) -> Outputs {
    match up {
        Up::Join { name, .. } => room.join(&claims(at), &Hello { name }, now).1,
        Up::Resume { member, seen, .. } => room.resume(&claims(at), Resume { member, seen }, now).1,
        Up::DeclineCall { .. } => room.decline(&claims(at), now).1,
        Up::Ping { t } => room.lost(MemberId(u32::try_from(t).unwrap_or(1)), Loss::Network, now),
        command => match command.into_request() {
            Some(request) => room.handle(MemberId(at as u32 % 4 + 1), request, now),
            None => Outputs::new(),
        },
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&kind, data)) = data.split_first() else { return };
    let mut now = Moment::from_millis(1_790_000_000_000);
    let template = Template::ALL[usize::from(kind) % Template::ALL.len()];
    let id = RoomId::new("fuzz").expect("a plain name");
    let (mut room, _) = Room::new(id, "live", template.settings(), now);
    let (first, mut journal) = (room.snapshot(), vec![]);
    for (at, line) in data.split(|byte| *byte == b'\n').enumerate() {
        if at < USERS.len() {
            perform(room.join(&claims(at), &Hello::default(), now).1, &mut journal);
        }
        if let Ok(up) = message::parse(line) {
            perform(handle(&mut room, at, up, now), &mut journal);
        }
        // The length of a line is also how long the next one lets wait.
        now = now + Millis(line.len() as u64 * 100);
    }
    perform(room.handle_timeout(now), &mut journal);
    let mut state = first.state;
    journal.iter().for_each(|change| drop(state.apply(change)));
    assert_eq!(&state, room.state());
});
