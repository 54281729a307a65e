//! One member: comes in, goes up, publishes, is sent the stage, and does what it is told.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use media::{Span, Timestamp};
use room::Command;
use room::message::Down;
use room::track::{Delta, Sending, all};
use str0m::media::{MediaKind, Mid};
use str0m::rtp::RtpPacket;
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep, timeout};

use super::ledger::Ledger;
use super::media::{FPS, Projector, Reel, SOUND_TICK, Tag};
use super::place::Place;
use super::socket::Socket;
use super::{PATIENCE, TILES, Ticket, VOICES};
use crate::http::Caller;
use crate::lab::peer::{Peer, Seen, Way};

/// How loud somebody speaks, and is silent, in decibels of full scale.
const SPEAKING: i8 = -10;
const SILENT: i8 = -70;
/// A phone finds out that its connection is gone, and comes back.
const BACK_OFF: Duration = Duration::from_millis(200);
/// What a tile of the lab shows, in pixels.
const TILE: (u32, u32) = (160, 96);

/// What a member is told to do.
#[derive(Clone, Debug)]
pub(super) enum Order {
    /// To see these, the first in the first tile.
    Show(Vec<u32>),
    /// To speak, or to be silent.
    Speak(bool),
    /// To send this from now on.
    Send(Sending),
    /// To lose the signalling and come back.
    LoseSocket,
    /// To leave.
    Leave,
}

/// What a member has in common with the others.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) place: Arc<Place>,
    pub(super) reel: Arc<Reel>,
    pub(super) ledger: Arc<Ledger>,
}

/// A member that is in.
pub(super) struct Member {
    common: Common,
    ticket: Ticket,
    number: u32,
    link: Link,
    camera: Camera,
    down: Peer,
    /// Wanted in the tiles, and what of it was said.
    wanted: Vec<u32>,
    is_said: bool,
    tiles: HashMap<Mid, Tile>,
    awaited: Awaited,
}

/// What it sends.
struct Camera {
    up: Peer,
    projector: Projector,
    began: Instant,
    level: i8,
    has_picture: bool,
}

/// Its signalling.
enum Link {
    Up(Box<Socket>),
    /// It was lost, and comes back.
    Back {
        lost: Instant,
        coming: Pin<Box<dyn Future<Output = anyhow::Result<Socket>> + Send>>,
    },
    Gone,
}

impl Camera {
    /// The next picture or packet of sound, stamped with the time since it began.
    fn send(&mut self, reel: &Reel, kind: MediaKind) -> anyhow::Result<()> {
        let now = Instant::now();
        let at = Timestamp::ZERO + Span::from(now.duration_since(self.began));
        let (packets, level) = match kind {
            MediaKind::Audio => (self.projector.sound(reel, at), Some(self.level)),
            MediaKind::Video => (self.projector.picture(reel, at), None),
        };
        self.up.send(kind, &packets, now, level)
    }
}

impl Link {
    /// The next message; nothing when it has just come back. Cancel safe.
    async fn next(&mut self, ledger: &Ledger) -> anyhow::Result<Option<Down>> {
        match self {
            Self::Up(socket) => socket.next().await.map(Some),
            Self::Back { lost, coming } => {
                let socket = coming.await.context("coming back")?;
                ledger.resume(*lost);
                *self = Self::Up(Box::new(socket));
                Ok(None)
            }
            Self::Gone => std::future::pending().await,
        }
    }

    async fn command(&mut self, command: Command) -> anyhow::Result<()> {
        match self {
            Self::Up(socket) => socket.command(command).await.map(drop),
            Self::Back { .. } | Self::Gone => bail!("no command without a connection"),
        }
    }
}

/// What came in a tile.
#[derive(Default)]
struct Tile {
    asked: Option<u32>,
    /// Whose picture may still come.
    before: Option<u32>,
    last: Option<Tag>,
}

/// When it began to join, until the first of somebody else has come.
struct Awaited {
    sound: Option<Instant>,
    picture: Option<Instant>,
}

impl Member {
    /// Comes in and goes up; measures until the first of others if `others` are there to be shown.
    pub(super) async fn join(common: Common, ticket: Ticket, others: Vec<u32>) -> anyhow::Result<Self> {
        let began = Instant::now();
        let Common { place, .. } = &common;
        let mut socket = Socket::join(place, &ticket).await?;
        let member = socket.member.0;
        let sending = Sending { sound: true, picture: true, screen: false };
        socket.command(Command::Publish { sending }).await?;
        let path = timeout(PATIENCE, broadcast(&mut socket)).await.context("no place on the stage")??;
        let caller = Caller { bearer: Some(&ticket.token), insecure: place.insecure };
        let (whip, stage) = (place.whip(&path), place.stage(member));
        let (up, down) = tokio::try_join!(
            Peer::connect(&whip, Way::Publish, caller),
            Peer::connect(&stage, Way::Attend { voices: VOICES, tiles: TILES }, caller)
        )?;
        let awaited = (!others.is_empty()).then_some(began);
        Ok(Self {
            ticket,
            number: member,
            link: Link::Up(Box::new(socket)),
            camera: Camera {
                up,
                projector: Projector::new(member),
                began: Instant::now(),
                level: SILENT,
                has_picture: true,
            },
            down,
            wanted: others,
            is_said: false,
            tiles: HashMap::new(),
            awaited: Awaited { sound: awaited, picture: awaited },
            common,
        })
    }

    /// Its number in the room.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Does what it is told until it is told to leave, or fails.
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Order>) -> anyhow::Result<()> {
        let mut sounds = ticks(SOUND_TICK.to_duration());
        let mut pictures = ticks(Span::from_ticks(1, FPS).to_duration());
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::Leave) | None => return self.leave().await,
                    Some(order) => self.obey(order).await?,
                },
                _ = sounds.tick() => self.camera.send(&self.common.reel, MediaKind::Audio)?,
                _ = pictures.tick(), if self.camera.has_picture => {
                    self.camera.send(&self.common.reel, MediaKind::Video)?;
                }
                seen = self.camera.up.step() => {
                    if matches!(seen.context("publishing")?, Seen::KeyframeWanted) {
                        self.camera.projector.rewind();
                    }
                }
                seen = self.down.step() => self.watch(seen.context("attending")?)?,
                down = self.link.next(&self.common.ledger) => {
                    if let Some(down) = down? {
                        self.listen(&down);
                    }
                }
            }
        }
    }

    async fn obey(&mut self, order: Order) -> anyhow::Result<()> {
        match order {
            Order::Show(wanted) => {
                self.wanted = wanted;
                self.is_said = false;
                self.ask()?;
            }
            Order::Speak(speaks) => self.camera.level = if speaks { SPEAKING } else { SILENT },
            Order::Send(sending) => {
                self.camera.has_picture = sending.picture;
                self.common.ledger.change(self.number, sending.picture);
                self.link.command(Command::Publish { sending }).await?;
            }
            Order::LoseSocket => self.lose_socket(),
            Order::Leave => {}
        }
        Ok(())
    }

    /// Media goes on meanwhile, as it does in a page.
    fn lose_socket(&mut self) {
        let (place, ticket) = (Arc::clone(&self.common.place), self.ticket.clone());
        let lost = Instant::now();
        self.link = match std::mem::replace(&mut self.link, Link::Gone) {
            Link::Up(socket) => Link::Back {
                lost,
                coming: Box::pin(async move {
                    sleep(BACK_OFF).await;
                    socket.resume(&place, &ticket).await
                }),
            },
            other => other,
        };
    }

    /// Says whom to show, once it can be said.
    fn ask(&mut self) -> anyhow::Result<()> {
        let mids = self.down.tiles().to_vec();
        let wish = |(mid, member): (&Mid, &u32)| serde_json::json!({ "mid": mid.to_string(), "member": member, "width": TILE.0, "height": TILE.1 });
        let tiles: Vec<_> = mids.iter().zip(&self.wanted).map(wish).collect();
        let text = serde_json::json!({ "type": "tiles", "tiles": tiles }).to_string();
        self.is_said = self.down.say(&text)?;
        if self.is_said {
            for (at, mid) in mids.into_iter().enumerate() {
                let tile = self.tiles.entry(mid).or_default();
                tile.before = tile.asked;
                tile.asked = self.wanted.get(at).copied();
            }
        }
        Ok(())
    }

    fn watch(&mut self, seen: Seen) -> anyhow::Result<()> {
        match seen {
            Seen::Opened if !self.is_said => self.ask()?,
            Seen::Packet(packet, MediaKind::Audio) => self.hear(&packet),
            Seen::Packet(packet, MediaKind::Video) => self.see(&packet),
            Seen::Opened | Seen::Connected | Seen::KeyframeWanted | Seen::Nothing => {}
        }
        Ok(())
    }

    fn hear(&mut self, packet: &RtpPacket) {
        let Some(tag) = Tag::of(&packet.payload) else { return };
        self.common.ledger.hear(self.number, tag);
        if let Some(began) = self.awaited.sound.take() {
            self.common.ledger.join(began, true);
        }
    }

    fn see(&mut self, packet: &RtpPacket) {
        let Some(tag) = Tag::of(&packet.payload) else { return };
        let Some(mid) = self.down.section(packet) else { return };
        let tile = self.tiles.entry(mid).or_default();
        let is_same = |last: &Tag| last.member == tag.member && tag.number > last.number;
        let missed = tile.last.filter(is_same).map_or(0, |last| u64::from(tag.number - last.number - 1));
        let was_asked = [tile.asked, tile.before].contains(&Some(tag.member));
        tile.last = Some(tag);
        self.common.ledger.see(self.number, tag, missed, was_asked);
        if let Some(began) = self.awaited.picture.take() {
            self.common.ledger.join(began, false);
        }
    }

    fn listen(&self, down: &Down) {
        match down {
            Down::Delta(Delta::All { change: all::Change::Sending { member, .. }, .. }) => {
                self.common.ledger.tell(self.number, member.0);
            }
            Down::Refused { code, sentence, .. } => {
                self.common.ledger.fail(&format!("refused ({code:?}): {sentence}"));
            }
            _ => {}
        }
    }

    async fn leave(mut self) -> anyhow::Result<()> {
        let caller = Caller { bearer: Some(&self.ticket.token), insecure: self.common.place.insecure };
        tokio::join!(self.camera.up.close(caller), self.down.close(caller));
        self.link.command(Command::Leave {}).await
    }
}

/// Waits until the room says where to publish.
async fn broadcast(socket: &mut Socket) -> anyhow::Result<String> {
    loop {
        if let Some(path) = socket.broadcast() {
            return Ok(path.to_owned());
        }
        if let Down::Refused { code, sentence, .. } = socket.next().await? {
            bail!("refused ({code:?}): {sentence}");
        }
    }
}

fn ticks(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}
