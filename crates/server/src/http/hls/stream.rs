//! One broadcast as HLS: a derivation that runs while somebody asks, the sessions that do, and how long it is kept
//! when the broadcast is over.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, UNIX_EPOCH};

use media::broadcast::{Broadcast, Event, Phase, Selection, TrackId};
use media::codec::Kind;
use media::{Codec, Path, Timestamp};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use wire::hls::{Answer, Options, Packager, TrackKey, UnixMicros};

use super::token;
use crate::audience::{Audience, Protocol, Seat};
use crate::context::Context;
use crate::http::problem::Problem;
use crate::sessions::{self, Ticket};
use crate::transcode::Picture;

/// Players that are late read the end, and its last segments, for this long.
const ENDED_KEPT: Duration = Duration::from_secs(30);
/// Ended broadcasts that are kept; the oldest leave first.
const ENDED_MAX: usize = 256;
/// Sessions that are counted as viewers of one broadcast. More are served all the same.
const SESSIONS_MAX: usize = 50_000;
/// How often silent sessions are looked for.
const SWEEP: Duration = Duration::from_secs(1);
/// Frames taken before other tasks get their turn; a reader that starts finds a whole group waiting.
const FRAMES_AT_ONCE: u32 = 64;

/// A broadcast's packager and the people around it.
pub(super) struct Stream {
    packager: Mutex<Packager>,
    /// The packager's version; waiting requests listen here.
    version: watch::Sender<u64>,
    sessions: Mutex<Sessions>,
    audience: Arc<Audience>,
    /// The name under which segments are for every player, where they are.
    shared: Option<String>,
}

/// What a packager is made for.
pub(super) struct Source {
    picture: Picture,
    /// What is published has pictures and sound, whether or not its bridge has made any yet.
    both: bool,
}

impl Source {
    /// Of what is published, in the pictures that were asked for.
    pub(super) fn new(published: &Broadcast, picture: Picture) -> Self {
        let tracks = published.tracks();
        let has = |kind| tracks.iter().any(|track| track.kind == kind);
        Self { picture, both: has(Kind::Video) && has(Kind::Audio) }
    }
}

/// What became of a request's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touched {
    /// It may be answered.
    Noted,
    /// The packager has stopped and another one must be asked for.
    Stopped,
    /// Its session was sent away.
    Kicked,
    /// No such session was let in, and not everybody is.
    Unknown,
}

struct Sessions {
    by_token: HashMap<String, Session>,
    last_request: Instant,
    /// Nobody asked for too long: this packager gets no frames any more.
    stopped: bool,
}

struct Session {
    last_request: Instant,
    /// `None` once it was sent away: its name is remembered so that it stays away.
    seat: Option<Seat>,
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

    /// The newest ended broadcast of this path; with a token, the one that knows it.
    pub(super) fn find(&self, path: &Path, token: Option<&str>) -> Option<Arc<Stream>> {
        let all = self.lock();
        let mut found = all.iter().rev().filter(|(ended, _)| ended == path).filter_map(|(_, s)| s.upgrade());
        found.find(|stream| token.is_none_or(|token| stream.knows(token)))
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
        });
        let zero = context.clock.wall_of(broadcast, Timestamp::ZERO);
        let micros = zero.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
        let unix = UnixMicros(i64::try_from(micros).unwrap_or(i64::MAX));
        packager.handle_wall_clock(Timestamp::ZERO, unix);
        let shared = hls.shared_segments.then(|| token(context, broadcast.path(), source.picture));
        if let Some(shared) = &shared {
            packager.share_segments(shared);
        }
        let sessions = Sessions { by_token: HashMap::new(), last_request: Instant::now(), stopped: false };
        Self {
            packager: Mutex::new(packager),
            version: watch::Sender::new(0),
            sessions: Mutex::new(sessions),
            audience: Audience::of(broadcast),
            shared,
        }
    }

    /// Whether a player of this name was let in and not sent away, or segments have it for all.
    pub(super) fn knows(&self, token: &str) -> bool {
        let stays = |session: &Session| session.seat.as_ref().is_some_and(|seat| !seat.is_kicked());
        self.is_shared(token) || self.sessions().by_token.get(token).is_some_and(stays)
    }

    fn is_shared(&self, token: &str) -> bool {
        self.shared.as_deref() == Some(token)
    }

    pub(super) fn packager(&self) -> MutexGuard<'_, Packager> {
        self.packager.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins the session of a player that was let in; `false` where there are too many to remember another.
    pub(super) fn begin(&self, token: &str, ticket: Ticket) -> bool {
        let mut sessions = self.sessions();
        let has_room = sessions.by_token.len() < SESSIONS_MAX;
        if has_room {
            let seat = self.audience.sit(Protocol::Hls).with_ticket(ticket);
            sessions
                .by_token
                .insert(token.to_owned(), Session { last_request: Instant::now(), seat: Some(seat) });
        }
        has_room
    }

    /// Notes a request, of a session where it has one. A session that is not known is begun where everybody is let in
    /// (`open`).
    pub(super) fn touch(&self, token: Option<&str>, open: bool) -> Touched {
        let now = Instant::now();
        let mut sessions = self.sessions();
        if sessions.stopped {
            return Touched::Stopped;
        }
        let Some(token) = token else {
            sessions.last_request = now;
            return Touched::Noted;
        };
        let is_shared = self.is_shared(token);
        if let Some(session) = sessions.by_token.get_mut(token) {
            session.last_request = now;
            session.seat.take_if(|seat| seat.is_kicked());
            if session.seat.is_none() {
                return Touched::Kicked;
            }
        } else if !is_shared && !open {
            return Touched::Unknown;
        } else if !is_shared && sessions.by_token.len() < SESSIONS_MAX {
            let session = Session { last_request: now, seat: Some(self.audience.sit(Protocol::Hls)) };
            sessions.by_token.insert(token.to_owned(), session);
        }
        sessions.last_request = now;
        Touched::Noted
    }

    /// The session of this name, where it was let in and not only seen.
    pub(super) fn session(&self, token: &str) -> Option<Arc<sessions::Session>> {
        self.sessions().by_token.get(token)?.seat.as_ref()?.session()
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

    fn handle_event(&self, event: Event, codecs: &mut HashMap<TrackId, Arc<Codec>>) {
        let mut packager = self.packager();
        match event {
            Event::Frame { track, codec, frame, .. } => {
                if let Some(codec) = codec {
                    codecs.insert(track, codec);
                }
                if let Some(codec) = codecs.get(&track) {
                    packager.handle_frame(TrackKey(track.0.into()), codec, &frame);
                }
            }
            Event::Skipped { .. } | Event::Phase(Phase::Live) => packager.handle_discontinuity(),
            Event::Phase(Phase::Waiting | Phase::Ended) => {}
        }
        self.publish(&packager);
    }

    fn handle_end(&self) {
        let mut packager = self.packager();
        packager.handle_end();
        self.publish(&packager);
    }

    fn publish(&self, packager: &Packager) {
        let version = packager.version();
        self.version.send_if_modified(|known| std::mem::replace(known, version) != version);
    }

    /// Forgets sessions that are silent; tells whether the packager may rest, and then stops it for good.
    fn sweep(&self, silent: Duration, idle: Duration) -> bool {
        let now = Instant::now();
        let mut sessions = self.sessions();
        sessions.by_token.retain(|_, session| {
            session.seat.take_if(|seat| seat.is_kicked());
            now - session.last_request < silent
        });
        if sessions.by_token.is_empty() && now - sessions.last_request >= idle {
            sessions.stopped = true;
        }
        sessions.stopped
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

#[derive(PartialEq, Eq)]
enum Over {
    Ended,
    Idle,
}

async fn feed(context: &Context, broadcast: &Broadcast, stream: &Stream) -> Over {
    let mut reader = broadcast.read(Selection::Best);
    let mut codecs = HashMap::new();
    let mut sweep = interval(SWEEP);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let silent = context.config().hls.segment_max * 3;
    let mut taken = 0_u32;
    loop {
        tokio::select! {
            event = poll_fn(|cx| reader.poll_next(cx)) => match event {
                Some(event) => stream.handle_event(event, &mut codecs),
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
