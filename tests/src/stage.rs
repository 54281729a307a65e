//! A stage without a room: who is on it is what the test says, and a member's token is its number.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use media::Path;
use room::track::all::Sending;
use room::{MemberId, Role, RoomId};
use server::App;
use server::rooms::stage::{Attending, Door, NotAttending, Performer, Stage};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use crate::http::{self, Answer};
use crate::recording::Kind;
use crate::rtc::layers::{LAYERS, is_keyframe, marked, told};
use crate::rtc::{Client, Event, Offer, Received, SDP};

/// Longer than anything here takes on a machine that others use too.
pub const PATIENCE: Duration = Duration::from_secs(40);
/// The name of the room.
const ROOM: &str = "room-1";

/// The room's side of a stage.
pub struct Room {
    stage: watch::Sender<Arc<Stage>>,
    members: Arc<Mutex<HashMap<MemberId, Attending>>>,
}

/// Lets in whoever says its own number.
struct TestDoor(Arc<Mutex<HashMap<MemberId, Attending>>>);

impl Door for TestDoor {
    fn attend(
        &self,
        room: &RoomId,
        member: MemberId,
        token: Option<&str>,
    ) -> Result<Attending, NotAttending> {
        if room.as_str() != ROOM {
            return Err(NotAttending::NoRoom);
        }
        let token = token.ok_or(NotAttending::NoToken)?;
        let members = self.0.lock().expect("no test panics while it holds this");
        let attending = members.get(&member).filter(|_| token == member.0.to_string());
        attending.cloned().ok_or(NotAttending::NotYou)
    }
}

fn path(member: u32) -> Path {
    Path::new(&format!("hall/{ROOM}/{member}")).expect("a path")
}

/// Everything that can be sent.
pub const ALL: Sending = Sending { sound: true, picture: true, screen: false };

impl Room {
    /// A room with so many members, none of them on the stage, whom the server lets in.
    pub fn new(app: &App, members: u32) -> Self {
        let (stage, watched) = watch::channel(Arc::default());
        let attending = |member| Attending {
            member: MemberId(member),
            path: Path::new(&format!("hall/{ROOM}")).expect("a path"),
            stage: watched.clone(),
            left: Default::default(),
        };
        let members = (1..=members).map(|member| (MemberId(member), attending(member))).collect();
        let members = Arc::new(Mutex::new(members));
        let door: Arc<dyn Door> = Arc::new(TestDoor(Arc::clone(&members)));
        assert!(app.context().shared.door.set(door).is_ok(), "one room a server");
        Self { stage, members }
    }

    /// Who is on the stage from now on, and what of them is passed on.
    pub fn set(&self, performers: &[(u32, Sending)]) {
        let performers = performers.iter().map(|(member, sending)| Performer {
            member: MemberId(*member),
            role: Role::Guest,
            path: path(*member),
            sending: *sending,
        });
        self.stage.send_replace(Arc::new(Stage { performers: performers.collect(), focus: None }));
    }

    /// These are on the stage with all they have.
    pub fn set_up(&self, members: &[u32]) {
        let performers: Vec<_> = members.iter().map(|member| (*member, ALL)).collect();
        self.set(&performers);
    }

    /// The member has left the room.
    pub fn leave(&self, member: u32) {
        let left = self.members.lock().expect("no test panics while it holds this").remove(&MemberId(member));
        left.expect("it was a member").left.cancel();
    }
}

/// A member that publishes three layers and sound by itself until it is dropped.
pub struct Publisher {
    /// Its peer.
    pub client: Arc<Client>,
    _sending: JoinSet<()>,
}

impl Publisher {
    /// Begins, with this loudness.
    pub async fn start(app: &App, member: u32, level: i8) -> Self {
        let offer = Offer::in_layers(app.addresses().rtc, &LAYERS.map(|layer| layer.rid)).await;
        let target = format!("/{}/whip", path(member));
        let client = Arc::new(offer.post(app.addresses().http, &target).await.start().await);
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
    /// Connects as this member with so many sections of sound and of pictures.
    pub async fn start(app: &App, member: u32, voices: usize, tiles: usize) -> Self {
        let (offer, voices, tiles) = Offer::of_stage(app.addresses().rtc, voices, tiles).await;
        let answer = post(app, &target(member), Some(&member.to_string()), &offer.sdp).await;
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
