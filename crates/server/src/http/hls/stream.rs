//! One rendition of a broadcast as HLS: a derivation that runs while somebody asks, and how long it is kept when the
//! broadcast is over.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, UNIX_EPOCH};

use media::broadcast::{Broadcast, Event, Phase, Selection, TrackId};
use media::codec::Kind;
use media::{Codec, Path, Timestamp};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use wire::hls::{Answer, Options, Packager, TrackKey, UnixMicros};

use super::family::{Family, Touched};
use super::token;
use crate::context::Context;
use crate::http::problem::Problem;
use crate::ladder::{self, Asked, Rendition};
use crate::sessions::{self, Ticket};

/// Players that are late read the end, and its last segments, for this long.
const ENDED_KEPT: Duration = Duration::from_secs(30);
/// Ended broadcasts that are kept; the oldest leave first.
const ENDED_MAX: usize = 256;
/// How often silent sessions are looked for.
const SWEEP: Duration = Duration::from_secs(1);
/// Frames taken before other tasks get their turn; a reader that starts finds a whole group waiting.
const FRAMES_AT_ONCE: u32 = 64;

/// A packager and who asks it.
pub(super) struct Stream {
    packager: Mutex<Packager>,
    /// The packager's version; waiting requests listen here.
    version: watch::Sender<u64>,
    /// Nobody asked for too long: this packager gets no frames any more.
    asked: Mutex<LastAsked>,
    source: Source,
    /// Its segments have the numbers that they keep.
    numbered: AtomicBool,
    /// The name under which segments are for every player, where they are.
    shared: Option<String>,
}

struct LastAsked {
    at: Instant,
    stopped: bool,
}

/// What a packager is made for.
#[derive(Clone)]
pub(super) struct Source {
    asked: Asked,
    /// What is published has pictures and sound, whether or not its bridge has made any yet.
    both: bool,
    /// There are several renditions, which players change between.
    aligned: bool,
    family: Arc<Family>,
}

impl Source {
    /// Of what is published, as it was asked for.
    pub(super) fn new(context: &Context, published: &Broadcast, asked: Asked) -> Self {
        let tracks = published.tracks();
        let has = |kind| tracks.iter().any(|track| track.kind == kind);
        let both = has(Kind::Video) && has(Kind::Audio) && asked.rendition != Rendition::Sound;
        let aligned = ladder::is_listed(context, published);
        Self { asked, both, aligned, family: Family::of(published) }
    }
}

/// The broadcasts that are over and still answered for. The packagers belong to their tasks.
#[derive(Default)]
pub struct Ended(Mutex<Vec<(Path, Weak<Stream>)>>);

impl Ended {
    fn lock(&self) -> MutexGuard<'_, Vec<(Path, Weak<Stream>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, path: Path, stream: &Arc<Stream>) {
        let mut all = self.lock();
        all.retain(|(_, stream)| stream.strong_count() > 0);
        if all.len() >= ENDED_MAX {
            all.remove(0);
        }
        all.push((path, Arc::downgrade(stream)));
    }

    /// The newest ended broadcast of this path, as it was asked for; with a token, the one that knows it.
    pub(super) fn find(&self, path: &Path, asked: Asked, token: Option<&str>) -> Option<Arc<Stream>> {
        let all = self.lock();
        let mut found = all.iter().rev().filter(|(ended, _)| ended == path).filter_map(|(_, s)| s.upgrade());
        found.find(|stream| stream.source.asked == asked && token.is_none_or(|token| stream.knows(token)))
    }
}

impl Stream {
    /// The running packager of a broadcast, started if there is none.
    pub(super) fn of(context: &Arc<Context>, broadcast: &Broadcast, source: &Source) -> Arc<Self> {
        broadcast.derivations().get_or_start(0, || {
            let stream = Arc::new(Self::new(context, broadcast, source));
            context.spawn(run(Arc::clone(context), broadcast.clone(), Arc::clone(&stream)));
            stream
        })
    }

    fn new(context: &Context, broadcast: &Broadcast, source: &Source) -> Self {
        let config = context.config();
        let hls = &config.hls;
        let mut packager = Packager::new(Options {
            target_seconds: u32::try_from(hls.segment_max.as_secs()).unwrap_or(u32::MAX),
            segment_min: hls.segment_min.into(),
            part_target: hls.part.into(),
            segments_listed: hls.segments,
            both: source.both,
            aligned: source.aligned,
        });
        let zero = context.clock.wall_of(broadcast, Timestamp::ZERO);
        let micros = zero.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
        let unix = UnixMicros(i64::try_from(micros).unwrap_or(i64::MAX));
        packager.handle_wall_clock(Timestamp::ZERO, unix);
        let shared = hls.shared_segments.then(|| token(context, broadcast.path(), source.asked.picture));
        if let Some(shared) = &shared {
            match source.asked.rendition {
                Rendition::Source => packager.share_segments(shared),
                // Its playlist stands a level deeper.
                rendition => packager.share_segments(&format!("../{shared}/{rendition}")),
            }
        }
        Self {
            packager: Mutex::new(packager),
            version: watch::Sender::new(0),
            asked: Mutex::new(LastAsked { at: Instant::now(), stopped: false }),
            source: source.clone(),
            numbered: AtomicBool::new(!source.aligned),
            shared,
        }
    }

    /// Whether a player of this name was let in and not sent away, or segments have it for all.
    pub(super) fn knows(&self, token: &str) -> bool {
        self.is_shared(token) || self.source.family.knows(token)
    }

    fn is_shared(&self, token: &str) -> bool {
        self.shared.as_deref() == Some(token)
    }

    pub(super) fn packager(&self) -> MutexGuard<'_, Packager> {
        self.packager.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self) -> MutexGuard<'_, LastAsked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins the session of a player that was let in; `false` where there are too many to remember another.
    pub(super) fn begin(&self, token: &str, ticket: Ticket) -> bool {
        self.source.family.begin(token, ticket)
    }

    /// Notes a request, of a session where it has one. A session that is not known is begun where everybody is let in
    /// (`open`).
    pub(super) fn touch(&self, token: Option<&str>, open: bool) -> Touched {
        let mut asked = self.asked();
        if asked.stopped {
            return Touched::Stopped;
        }
        if let Some(token) = token.filter(|token| !self.is_shared(token)) {
            match self.source.family.touch(token, open) {
                Touched::Noted => {}
                refused @ (Touched::Stopped | Touched::Kicked | Touched::Unknown) => return refused,
            }
        }
        asked.at = Instant::now();
        Touched::Noted
    }

    /// The session of this name, where it was let in and not only seen.
    pub(super) fn session(&self, token: &str) -> Option<Arc<sessions::Session>> {
        self.source.family.session(token)
    }

    /// The answer to `ask` as soon as there is one, within `patience`.
    pub(super) async fn answer<T>(
        &self,
        patience: Duration,
        ask: impl Fn(&Packager) -> Answer<T>,
    ) -> Result<T, Problem> {
        let mut version = self.version.subscribe();
        let asking = async {
            loop {
                version.borrow_and_update();
                let answer = ask(&self.packager());
                match answer {
                    Answer::Ready(ready) => return Ok(ready),
                    Answer::NotFound => {
                        return Err(Problem::not_found("this part of the stream is not here"));
                    }
                    Answer::TooFarAhead => {
                        return Err(Problem::bad_request("_HLS_msn is too far ahead of the stream"));
                    }
                    Answer::NotYet => {}
                }
                if version.changed().await.is_err() {
                    return Err(late());
                }
            }
        };
        tokio::time::timeout(patience, asking).await.unwrap_or_else(|_| Err(late()))
    }

    fn handle_event(&self, event: Event, reading: &mut Reading) {
        let mut packager = self.packager();
        match event {
            Event::Frame { track, codec, frame, .. } => {
                if let Some(codec) = codec {
                    reading.codecs.insert(track, codec);
                }
                if let Some(codec) = reading.codecs.get(&track) {
                    packager.handle_frame(TrackKey(track.0.into()), codec, &frame);
                }
            }
            Event::Skipped { .. } => packager.handle_discontinuity(),
            Event::Phase(Phase::Live) if reading.interrupted => {
                reading.interrupted = false;
                packager.handle_discontinuity();
            }
            // What is made begins after its reader, who is told of it behind its first frames.
            Event::Phase(Phase::Live) => {}
            Event::Phase(Phase::Waiting | Phase::Ended) => reading.interrupted = true,
        }
        self.publish(&mut packager);
    }

    fn handle_end(&self) {
        let mut packager = self.packager();
        packager.handle_end();
        self.publish(&mut packager);
    }

    fn publish(&self, packager: &mut Packager) {
        let version = packager.version();
        if self.source.aligned && *self.version.borrow() != version {
            if packager.first_wall().is_some() && !self.numbered.swap(true, Ordering::AcqRel) {
                self.source.family.number(packager);
            }
            self.source.family.note(self.source.asked, packager);
        }
        self.version.send_if_modified(|known| std::mem::replace(known, version) != version);
    }

    /// Forgets sessions that are silent; tells whether the packager may rest, and then stops it for good.
    fn sweep(&self, silent: Duration, idle: Duration) -> bool {
        self.source.family.forget(silent);
        let mut asked = self.asked();
        // A rung costs more than its packager: who has changed to another rendition does not come back at once.
        let rest = if self.source.asked.rendition == Rendition::Source { silent.max(idle) } else { silent };
        if asked.at.elapsed() >= rest {
            asked.stopped = true;
        }
        asked.stopped
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.source.family.leave(self.source.asked);
    }
}

fn late() -> Problem {
    Problem::unavailable("the stream has not got that far yet; its publisher may be sending nothing", 1)
}

async fn run(context: Arc<Context>, broadcast: Broadcast, stream: Arc<Stream>) {
    let feeding = context.stopping.run_until_cancelled(feed(&context, &broadcast, &stream));
    if feeding.await != Some(Over::Ended) {
        return;
    }
    stream.handle_end();
    context.shared.hls_ended.keep(broadcast.path().clone(), &stream);
    // The rings are not kept with it.
    drop(broadcast);
    let _ = tokio::time::timeout(ENDED_KEPT, context.draining.cancelled()).await;
}

/// What is known of the tracks that are read.
struct Reading {
    codecs: HashMap<TrackId, Arc<Codec>>,
    /// The publisher vanished: what another one sends does not continue what was.
    interrupted: bool,
}

#[derive(PartialEq, Eq)]
enum Over {
    Ended,
    Idle,
}

async fn feed(context: &Context, broadcast: &Broadcast, stream: &Stream) -> Over {
    let interrupted = broadcast.phase() != Phase::Live && broadcast.epoch() > 0;
    let mut reading = Reading { codecs: HashMap::new(), interrupted };
    let mut reader = broadcast.read(Selection::Best);
    let mut sweep = interval(SWEEP);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let silent = context.config().hls.segment_max * 3;
    let mut taken = 0_u32;
    loop {
        tokio::select! {
            event = poll_fn(|cx| reader.poll_next(cx)) => match event {
                Some(event) => stream.handle_event(event, &mut reading),
                None => return Over::Ended,
            },
            _ = sweep.tick() => {
                // A server that stops does not wait for viewers that may come back.
                let idle = if context.draining.is_cancelled() { SWEEP } else { context.config().hls.idle };
                if stream.sweep(silent, idle) {
                    return Over::Idle;
                }
            }
        }
        taken += 1;
        if taken.is_multiple_of(FRAMES_AT_ONCE) {
            tokio::task::yield_now().await;
        }
    }
}
