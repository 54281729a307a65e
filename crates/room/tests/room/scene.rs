//! A room with a server that does what the outputs say, and clients that know only what they were sent.

use std::collections::BTreeMap;

use room::message::{Down, Seen, TrackName, Welcome};
use room::track::{Track, View};
use room::{
    Actor, Change, Claims, Command, Goodbye, Hello, Loss, MemberId, Millis, Moment, Output, Outputs, Refusal,
    Request, Resume, Role, Room, RoomId, Settings, Snapshot, UserId,
};

pub(crate) const ROOM: &str = "class-3";
pub(crate) const START: Moment = Moment::from_millis(1_790_000_000_000);

/// What one connection has been told.
#[derive(Default)]
pub(crate) struct Client {
    pub(crate) views: BTreeMap<u8, View>,
    pub(crate) n: u32,
    pub(crate) welcomes: Vec<Welcome>,
    pub(crate) messages: usize,
    pub(crate) connected: bool,
    pub(crate) bye: Option<Goodbye>,
}

pub(crate) struct Scene {
    pub(crate) room: Room,
    pub(crate) now: Moment,
    pub(crate) first: Snapshot,
    pub(crate) journal: Vec<Change>,
    pub(crate) clients: BTreeMap<MemberId, Client>,
    pub(crate) last: Outputs,
    pub(crate) ended: Option<Goodbye>,
    /// Whether clients are compared with the room after every step.
    pub(crate) checks: bool,
}

fn key(track: Track) -> u8 {
    match track {
        Track::All => 0,
        Track::Stage => 1,
        Track::Hosts => 2,
        Track::Own(_) => 3,
    }
}

pub(crate) fn key_of_view(view: &View) -> u8 {
    match view {
        View::All { .. } => 0,
        View::Stage { .. } => 1,
        View::Hosts { .. } => 2,
        View::Own { .. } => 3,
    }
}

fn key_of_name(name: TrackName) -> u8 {
    match name {
        TrackName::All => 0,
        TrackName::Stage => 1,
        TrackName::Hosts => 2,
        TrackName::Own => 3,
    }
}

pub(crate) fn claims(user: &str, role: Role) -> Claims {
    Claims {
        room: RoomId::new(ROOM).unwrap(),
        user: UserId::new(user).unwrap(),
        name: Some(user.to_owned()),
        role,
        info: String::new(),
    }
}

impl Scene {
    pub(crate) fn new(settings: Settings) -> Self {
        let (room, outputs) = Room::new(RoomId::new(ROOM).unwrap(), "live", settings, START);
        let first = room.snapshot();
        // The room is written whole when it is made; what follows is the journal.
        assert!(matches!(outputs[..], [Output::Persist(_)]));
        Self {
            room,
            now: START,
            first,
            journal: vec![],
            clients: BTreeMap::new(),
            last: vec![],
            ended: None,
            checks: true,
        }
    }

    pub(crate) fn try_join(&mut self, user: &str, role: Role) -> Result<MemberId, Refusal> {
        let (result, outputs) = self.room.join(&claims(user, role), &Hello::default(), self.now);
        if let Ok(member) = result
            && let Some(client) = self.clients.get_mut(&member)
        {
            client.n = 0;
        }
        self.perform(outputs);
        result
    }

    pub(crate) fn join(&mut self, user: &str, role: Role) -> MemberId {
        self.try_join(user, role).unwrap()
    }

    /// A member gives the next command, and gets the answer.
    pub(crate) fn try_do(&mut self, member: MemberId, command: Command) -> Result<(), Refusal> {
        let client = self.clients.entry(member).or_default();
        client.n += 1;
        let n = client.n;
        self.send(Actor::Member(member), n, command)
    }

    pub(crate) fn send(&mut self, by: Actor, n: u32, command: Command) -> Result<(), Refusal> {
        let outputs = self.room.handle(by, Request { n, command }, self.now);
        let answer = outputs.iter().find_map(|output| match output {
            Output::Answer { to, n: number, result } if *to == by && *number == n => Some(*result),
            _ => None,
        });
        self.perform(outputs);
        answer.expect("every command is answered")
    }

    pub(crate) fn act(&mut self, member: MemberId, command: Command) {
        assert_eq!(self.try_do(member, command.clone()), Ok(()), "{member:?} {command:?}");
    }

    pub(crate) fn lose(&mut self, member: MemberId) {
        self.lose_by(member, Loss::Network);
    }

    pub(crate) fn lose_by(&mut self, member: MemberId, loss: Loss) {
        self.clients.get_mut(&member).unwrap().connected = false;
        let outputs = self.room.lost(member, loss, self.now);
        self.perform(outputs);
    }

    pub(crate) fn seen(&self, member: MemberId) -> Seen {
        let n = |key| self.clients.get(&member).and_then(|client| client.views.get(&key)).map(View::n);
        Seen { all: n(0), stage: n(1), hosts: n(2), own: n(3) }
    }

    pub(crate) fn resume(&mut self, user: &str, member: MemberId) -> Result<MemberId, Refusal> {
        let resume = Resume { member, seen: self.seen(member) };
        let (result, outputs) = self.room.resume(&claims(user, Role::Guest), resume, self.now);
        self.perform(outputs);
        result
    }

    /// Time passes; timers fire as they are due.
    pub(crate) fn wait(&mut self, length: Millis) {
        let until = self.now + length;
        while let Some(at) = self.room.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            let outputs = self.room.handle_timeout(self.now);
            self.perform(outputs);
        }
        self.now = until;
    }

    pub(crate) fn perform(&mut self, outputs: Outputs) {
        for (at, output) in outputs.iter().enumerate() {
            assert!(at == 0 || !matches!(output, Output::Persist(_)), "written once, and first");
            self.perform_one(output);
        }
        self.last = outputs;
        if self.checks {
            self.check();
        }
    }

    fn perform_one(&mut self, output: &Output) {
        match output {
            Output::Persist(changes) => self.journal.extend(changes.iter().cloned()),
            Output::Delta { to, delta } => {
                for (member, client) in self.clients.iter_mut().filter(|(_, client)| client.connected) {
                    let theirs = !matches!(to, Track::Own(whose) if whose != member);
                    if let Some(view) = client.views.get_mut(&key(*to)).filter(|_| theirs) {
                        view.follow(delta).expect("no change is missing");
                        client.messages += 1;
                    }
                }
            }
            Output::Welcome { to, welcome } => self.clients.entry(*to).or_default().greet(welcome),
            Output::Show { to, view } => {
                self.client(*to).views.insert(key_of_view(view), (**view).clone());
            }
            Output::Hide { to, track } => {
                self.client(*to).views.remove(&key(*track)).expect("it was shown");
            }
            Output::Close { to, reason } => {
                let client = self.client(*to);
                client.connected = false;
                client.bye = Some(*reason);
            }
            Output::Ended { reason } => self.ended = Some(*reason),
            Output::Answer { .. } | Output::Moderate { .. } | Output::Drain { .. } => {}
        }
        let _sent: Option<Down> = Down::of(output.clone());
    }

    pub(crate) fn client(&mut self, member: MemberId) -> &mut Client {
        self.clients.get_mut(&member).expect("a client")
    }

    /// Clients know what the room holds, and what was written makes the same room.
    pub(crate) fn check(&self) {
        for (member, client) in self.clients.iter().filter(|(_, client)| client.connected) {
            for track in [Track::All, Track::Stage, Track::Hosts, Track::Own(*member)] {
                assert_eq!(
                    client.views.get(&key(track)),
                    self.room.view(*member, track).as_ref(),
                    "{member:?} {track:?}"
                );
            }
        }
        let connected: Vec<MemberId> = self.room.connected().collect();
        let clients: Vec<MemberId> =
            self.clients.iter().filter(|(_, client)| client.connected).map(|(member, _)| *member).collect();
        assert_eq!(connected, clients);
    }

    /// The journal over the first snapshot makes the same state.
    pub(crate) fn check_journal(&self) {
        let mut state = self.first.state.clone();
        for change in &self.journal {
            state.apply(change);
        }
        assert_eq!(&state, self.room.state());
    }

    pub(crate) fn stage(&self) -> Vec<MemberId> {
        self.room.state().all.state.stage.iter().map(|place| place.member).collect()
    }

    pub(crate) fn role(&self, member: MemberId) -> Role {
        self.room.state().own[&member].state.role
    }
}

impl Client {
    fn greet(&mut self, welcome: &Welcome) {
        self.connected = true;
        self.bye = None;
        let reads: Vec<u8> = welcome.tracks.iter().map(|name| key_of_name(*name)).collect();
        self.views.retain(|key, _| reads.contains(key));
        for view in &welcome.states {
            self.views.insert(key_of_view(view), view.clone());
        }
        for delta in &welcome.deltas {
            let followed =
                self.views.values_mut().map(|view| view.follow(delta)).filter(Result::is_ok).count();
            assert_eq!(followed, 1, "every change belongs to one track");
        }
        self.n = self.n.max(welcome.answered);
        self.welcomes.push(welcome.clone());
    }
}
