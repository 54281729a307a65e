//! The stage of a room as its members are sent it: each brings its token, publishes by WHIP and attends by one connection.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ::room::MemberId;
use ::room::track::all::Sending;
use serde_json::{Value, json};
use server::App;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use crate::http::{self, Answer};
use crate::recording::Kind;
use crate::room::{self, Member};
use crate::rtc::layers::{LAYERS, is_keyframe, marked, told};
use crate::rtc::{Client, Event, Offer, Received, SDP};

/// Longer than anything here takes on a machine that others use too.
pub const PATIENCE: Duration = Duration::from_secs(40);
/// The name of the room.
const ROOM: &str = "room-1";

/// A room, and the signalling of its members.
pub struct Room {
    members: BTreeMap<u32, Member>,
    tokens: BTreeMap<u32, String>,
}

/// Where a member publishes.
pub fn path(app: &App, member: u32) -> String {
    format!("{}/{ROOM}/{member}", app.context().rooms.app())
}

/// Everything that can be sent.
pub const ALL: Sending = Sending { sound: true, picture: true, screen: false };

impl Room {
    /// A class with so many members, numbered from 1, none of whom is on the stage.
    pub async fn new(app: &App, members: u32) -> Self {
        let http = app.addresses().http;
        room::make(app, ROOM, "class-small", Value::Null).await;
        let mut room = Self { members: BTreeMap::new(), tokens: BTreeMap::new() };
        for number in 1..=members {
            let token = room::token(http, ROOM, &format!("user-{number}"), "guest").await;
            let member = Member::join(http, ROOM, &token).await;
            assert_eq!(member.id, number, "they are numbered as they come");
            room.members.insert(number, member);
            room.tokens.insert(number, token);
        }
        room.set(&[]).await;
        room
    }

    /// Who is on the stage from now on, and what of them is passed on.
    pub async fn set(&mut self, performers: &[(u32, Sending)]) {
        for (number, member) in &mut self.members {
            let sending = performers.iter().find(|(of, _)| of == number).map(|(_, sending)| *sending);
            let is_up = member.all().stage.iter().any(|place| place.member == MemberId(*number));
            let commands = match (sending, is_up) {
                (Some(sending), true) => vec![json!({ "name": "publish", "sending": sending })],
                (Some(sending), false) => {
                    vec![json!({ "name": "step_up" }), json!({ "name": "publish", "sending": sending })]
                }
                (None, true) => vec![json!({ "name": "step_down" })],
                (None, false) => vec![],
            };
            for command in commands {
                assert_eq!(member.command(command.clone()).await, None, "{number}: {command}");
            }
        }
    }

    /// These are on the stage with all they have.
    pub async fn set_up(&mut self, members: &[u32]) {
        let performers: Vec<_> = members.iter().map(|member| (*member, ALL)).collect();
        self.set(&performers).await;
    }

    /// The member leaves the room.
    pub async fn leave(&mut self, member: u32) {
        let mut member = self.members.remove(&member).expect("it was a member");
        member.command(json!({ "name": "leave" })).await;
    }

    /// The room is over.
    pub async fn end(self, app: &App) {
        let closed = room::ask(app, "DELETE", &format!("/api/v1/rooms/{ROOM}"), &Value::Null).await;
        assert!((200..300).contains(&closed.status), "{}", closed.text());
    }

    /// The token of a member, or of somebody who has not come in.
    pub fn token(&self, member: u32) -> &str {
        &self.tokens[&member]
    }

    /// The member publishes from now on, speaking so loud.
    pub async fn publish(&self, app: &App, member: u32, level: i8) -> Publisher {
        Publisher::start(app, (member, self.token(member)), level).await
    }

    /// Connects as this member with so many sections of sound and of pictures.
    pub async fn attend(&self, app: &App, member: u32, voices: usize, tiles: usize) -> Attendee {
        Attendee::start(app, (member, self.token(member)), voices, tiles).await
    }
}

/// A member that publishes three layers and sound by itself until it is dropped.
pub struct Publisher {
    /// Its peer.
    pub client: Arc<Client>,
    _sending: JoinSet<()>,
}

impl Publisher {
    async fn start(app: &App, (member, token): (u32, &str), level: i8) -> Self {
        let offer = Offer::in_layers(app.addresses().rtc, &LAYERS.map(|layer| layer.rid)).await;
        let target = format!("/{}/whip", path(app, member));
        let answer = post(app, &target, Some(token), &offer.sdp).await;
        assert_eq!(answer.status, 201, "{}: {}", answer.head, answer.text());
        let client = Arc::new(offer.answered(app.addresses().http, &answer).start().await);
        client
            .tell(move |driver| {
                (driver.sending.mark, driver.sending.level) = (member as u8, Some(level));
            })
            .await;
        let mut sending = JoinSet::new();
        let own = Arc::clone(&client);
        sending.spawn(async move {
            let mut ticks = interval(Duration::from_millis(40));
            loop {
                ticks.tick().await;
                own.tell(|driver| driver.write_layers()).await;
            }
        });
        Self { client, _sending: sending }
    }

    /// It is so loud from now on.
    pub async fn speak(&self, level: i8) {
        self.client.tell(move |driver| driver.sending.level = Some(level)).await;
    }

    /// Layers that it was told to rest.
    pub async fn resting(&self) -> [bool; 3] {
        self.client.ask(|driver| driver.sending.resting).await
    }
}

/// What came in one section.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When.
    pub at: Instant,
    /// Its number and RTP time.
    pub sequence: u64,
    /// See `sequence`.
    pub time: u64,
    /// Who sent it.
    pub member: u32,
    /// Which layer, of a slice.
    pub layer: Option<usize>,
    /// Decoding can begin with its picture.
    pub is_key: bool,
}

/// A member that is sent the stage.
pub struct Attendee {
    /// Its peer.
    pub client: Client,
    /// Its sections of sound.
    pub voices: Vec<String>,
    /// And of pictures.
    pub tiles: Vec<String>,
    /// What came, by section.
    pub seen: BTreeMap<String, Vec<Seen>>,
    /// What was said.
    pub said: Vec<serde_json::Value>,
    /// The time of the newest keyframe, by section.
    keyed: HashMap<String, u64>,
}

/// Posts an offer as this member, with this token.
pub async fn post(app: &App, target: &str, token: Option<&str>, sdp: &str) -> Answer {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<(&str, &str)> =
        std::iter::once(SDP).chain(bearer.as_deref().map(|bearer| ("Authorization", bearer))).collect();
    http::send(app.addresses().http, "POST", target, &headers, sdp.as_bytes()).await
}

/// Where a member is sent the stage.
pub fn target(member: u32) -> String {
    format!("/rooms/{ROOM}/stage?member={member}")
}

impl Attendee {
    async fn start(app: &App, (member, token): (u32, &str), voices: usize, tiles: usize) -> Self {
        let (offer, voices, tiles) = Offer::of_stage(app.addresses().rtc, voices, tiles).await;
        let answer = post(app, &target(member), Some(token), &offer.sdp).await;
        assert_eq!(answer.status, 201, "{}: {}", answer.head, answer.text());
        let client = offer.answered(app.addresses().http, &answer).start().await;
        let seen = voices.iter().chain(&tiles).map(|mid| (mid.clone(), Vec::new())).collect();
        Self { client, voices, tiles, seen, said: Vec::new(), keyed: HashMap::new() }
    }

    /// Asks for these members in these tiles, in this size.
    pub async fn ask(&self, wanted: &[(usize, u32, (u32, u32))]) {
        let tile = |(tile, member, (width, height)): &(usize, u32, (u32, u32))| serde_json::json!({"mid": self.tiles[*tile], "member": member, "width": width, "height": height});
        let tiles: Vec<_> = wanted.iter().map(tile).collect();
        self.client.say(&serde_json::json!({"type": "tiles", "tiles": tiles}).to_string()).await;
    }

    fn take(&mut self, packet: Received) {
        let layer = told(&packet.payload).map(|(layer, _)| layer);
        if packet.kind == Kind::Video && is_keyframe(&packet.payload) {
            self.keyed.insert(packet.mid.clone(), packet.time);
        }
        if packet.kind == Kind::Video && layer.is_none() {
            return;
        }
        let seen = Seen {
            at: packet.at,
            sequence: packet.sequence,
            time: packet.time,
            member: marked(&packet.payload).into(),
            layer,
            is_key: self.keyed.get(&packet.mid) == Some(&packet.time),
        };
        self.seen.entry(packet.mid).or_default().push(seen);
    }

    /// Takes what comes until this is so; `what` is the failure's text.
    pub async fn until(&mut self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let comes = async {
            while !is_so(self) {
                match self.client.event().await.expect("the session goes on") {
                    Event::Said(text) => self.said.push(serde_json::from_str(&text).expect("JSON")),
                    Event::Packet(packet) => self.take(packet),
                    Event::Closed => panic!("closed before: {what}"),
                    Event::Connected | Event::Disconnected | Event::KeyframeWanted(_) => {}
                }
            }
        };
        if timeout(PATIENCE, comes).await.is_err() {
            panic!("never came true: {what}; said: {:?}; last {:?}", self.said, self.lasts());
        }
    }

    /// Takes what comes for so long.
    pub async fn run(&mut self, lasts: Duration) {
        let end = Instant::now() + lasts;
        self.until("time passes", |_| Instant::now() >= end).await;
    }

    fn lasts(&self) -> Vec<(&str, Option<&Seen>)> {
        self.seen.iter().map(|(mid, seen)| (mid.as_str(), seen.last())).collect()
    }

    /// What came in a tile.
    pub fn tile(&self, tile: usize) -> &[Seen] {
        &self.seen[&self.tiles[tile]]
    }

    /// Whose picture came last in a tile, and of which layer.
    pub fn shows(&self, tile: usize) -> Option<(u32, usize)> {
        self.tile(tile).last().and_then(|seen| Some((seen.member, seen.layer?)))
    }

    /// Members whose sound came within so long, in the order of the sections.
    pub fn hears(&self, within: Duration) -> Vec<Option<u32>> {
        let now = Instant::now();
        let last = |mid: &String| self.seen[mid].last().filter(|seen| now - seen.at <= within);
        self.voices.iter().map(|mid| last(mid).map(|seen| seen.member)).collect()
    }

    /// The newest message of this type about a tile.
    pub fn told(&self, tile: usize) -> Option<&serde_json::Value> {
        self.said.iter().rev().find(|said| said["type"] == "tile" && said["mid"] == self.tiles[tile].as_str())
    }

    /// By how many milliseconds what came last in a section is behind the room clock, by what was said of its RTP time.
    pub fn late(&self, mid: &str) -> i64 {
        let last = self.seen[mid].last().expect("something came");
        let is_its = |said: &&serde_json::Value| {
            said["type"] == "clock" && said["mid"] == mid && said["member"] == last.member
        };
        let said = self.said.iter().rev().find(is_its).expect("its clock was told");
        let mapping: ::room::clock::Mapping = serde_json::from_value(said.clone()).expect("a mapping");
        let came = SystemTime::now() - last.at.elapsed();
        let came = came.duration_since(UNIX_EPOCH).expect("after 1970").as_micros() as i64;
        (came - mapping.room_us(last.time as u32) as i64) / 1_000
    }

    /// Forgets what came so far, but for the last packet of each section.
    pub fn forget(&mut self) {
        for seen in self.seen.values_mut() {
            seen.drain(..seen.len().saturating_sub(1));
        }
        self.said.clear();
    }

    /// Every section is one row of numbers and of times, and changes at keyframes. Slices alone are looked at of pictures,
    /// so numbers there have holes of parameter sets.
    pub fn assert_continuous(&self) {
        for mid in &self.voices {
            for pair in self.seen[mid].windows(2) {
                assert_eq!(pair[1].sequence - pair[0].sequence, 1, "{pair:?}");
                assert!(pair[1].time - pair[0].time >= 960, "sound overlaps: {pair:?}");
            }
        }
        for mid in &self.tiles {
            for pair in self.seen[mid].windows(2) {
                let step = pair[1].sequence.saturating_sub(pair[0].sequence);
                assert!((1..=3).contains(&step) && pair[1].time >= pair[0].time, "{pair:?}");
                let is_same = (pair[0].member, pair[0].layer) == (pair[1].member, pair[1].layer);
                assert!(is_same || pair[1].is_key && pair[1].time > pair[0].time, "{pair:?}");
            }
        }
    }
}
