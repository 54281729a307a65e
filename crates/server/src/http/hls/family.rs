//! What all renditions of one broadcast share as HLS: the sessions of its players, and where each rendition's segments
//! stand, so that players find the same time under the same number.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use media::Span;
use media::broadcast::Broadcast;
use wire::hls::{Mark, Packager, Position, Report};

use crate::audience::{Audience, Protocol, Seat};
use crate::ladder::{Asked, Rendition};
use crate::sessions::{self, Ticket};

/// Sessions that are counted as viewers of one broadcast. More are served all the same.
const SESSIONS_MAX: usize = 50_000;
/// Segments of all renditions whose place is remembered: more than any playlist lists.
const MARKS_MAX: usize = 512;

/// Times of a rendition that an `ffmpeg` made are whole milliseconds; no two keyframes are so close.
const SAME_TIME: Span = Span::from_millis(5);

/// See the module.
pub(super) struct Family {
    audience: Arc<Audience>,
    sessions: Mutex<HashMap<String, Session>>,
    board: Mutex<Board>,
}

struct Session {
    last_request: Instant,
    /// `None` once it was sent away: its name is remembered so that it stays away.
    seat: Option<Seat>,
}

#[derive(Default)]
struct Board {
    /// The newest part of each rendition that runs.
    last: HashMap<Asked, Position>,
    /// Oldest first.
    marks: VecDeque<Mark>,
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Family {
    /// That of what is published.
    pub(super) fn of(published: &Broadcast) -> Arc<Self> {
        published.derivations().get_or_start(0, || {
            let audience = Audience::of(published);
            Arc::new(Self { audience, sessions: Mutex::default(), board: Mutex::default() })
        })
    }

    /// Whether a player of this name was let in and not sent away.
    pub(super) fn knows(&self, token: &str) -> bool {
        let stays = |session: &Session| session.seat.as_ref().is_some_and(|seat| !seat.is_kicked());
        lock(&self.sessions).get(token).is_some_and(stays)
    }

    /// Begins the session of a player that was let in; `false` where there are too many to remember another.
    pub(super) fn begin(&self, token: &str, ticket: Ticket) -> bool {
        let mut sessions = lock(&self.sessions);
        let has_room = sessions.len() < SESSIONS_MAX;
        if has_room {
            let seat = self.audience.sit(Protocol::Hls).with_ticket(ticket);
            sessions.insert(token.to_owned(), Session { last_request: Instant::now(), seat: Some(seat) });
        }
        has_room
    }

    /// Notes a request. A session that is not known is begun where everybody is let in (`open`).
    pub(super) fn touch(&self, token: &str, open: bool) -> Touched {
        let now = Instant::now();
        let mut sessions = lock(&self.sessions);
        if let Some(session) = sessions.get_mut(token) {
            session.last_request = now;
            session.seat.take_if(|seat| seat.is_kicked());
            if session.seat.is_none() {
                return Touched::Kicked;
            }
        } else if !open {
            return Touched::Unknown;
        } else if sessions.len() < SESSIONS_MAX {
            let seat = Some(self.audience.sit(Protocol::Hls));
            sessions.insert(token.to_owned(), Session { last_request: now, seat });
        }
        Touched::Noted
    }

    /// The session of this name, where it was let in and not only seen.
    pub(super) fn session(&self, token: &str) -> Option<Arc<sessions::Session>> {
        lock(&self.sessions).get(token)?.seat.as_ref()?.session()
    }

    /// Forgets sessions that have asked for nothing, of any rendition, for this long.
    pub(super) fn forget(&self, silent: Duration) {
        let now = Instant::now();
        lock(&self.sessions).retain(|_, session| {
            session.seat.take_if(|seat| seat.is_kicked());
            now - session.last_request < silent
        });
    }

    /// Gives a packager that has just made its first segments their numbers, where another rendition has some of that
    /// time.
    pub(super) fn number(&self, packager: &mut Packager) {
        let Some(start) = packager.first_wall() else { return };
        let board = lock(&self.board);
        if let Some(mark) = board.marks.iter().rfind(|mark| mark.wall <= start + SAME_TIME) {
            packager.renumber(*mark);
        }
    }

    /// Notes how far a rendition is, and tells it how far the others are.
    pub(super) fn note(&self, rendition: Asked, packager: &mut Packager) {
        let mut board = lock(&self.board);
        // Sound alone is cut without keyframes, and goes by numbers of its own after a while.
        if rendition.rendition != Rendition::Sound {
            board.extend(packager);
        }
        if let Some(last) = packager.last() {
            board.last.insert(rendition, last);
        }
        packager.set_reports(board.reports(rendition));
    }

    /// This rendition runs no longer.
    pub(super) fn leave(&self, rendition: Asked) {
        lock(&self.board).last.remove(&rendition);
    }
}

impl Board {
    /// Remembers where segments stand that nobody has had before.
    fn extend(&mut self, packager: &Packager) {
        let from = self.marks.back().map_or(0, |mark| mark.msn + 1);
        self.marks.extend(packager.marks(from));
        let surplus = self.marks.len().saturating_sub(MARKS_MAX);
        self.marks.drain(..surplus);
    }

    /// Of the others in the same pictures, in a fixed order.
    fn reports(&self, own: Asked) -> Vec<Report> {
        let up = if own.rendition == Rendition::Source { "" } else { "../" };
        let others = self.last.iter().filter(|(other, _)| other.picture == own.picture && **other != own);
        let mut reports: Vec<Report> = others
            .map(|(other, last)| {
                let uri = match other.rendition {
                    Rendition::Source => format!("{up}media.m3u8"),
                    rendition => format!("{up}{rendition}/media.m3u8"),
                };
                Report { uri, last: *last }
            })
            .collect();
        reports.sort_by(|one, other| one.uri.cmp(&other.uri));
        reports
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcode::Picture;

    #[test]
    fn a_rendition_is_told_of_the_others_in_its_pictures_by_addresses_relative_to_its_own() {
        let mut board = Board::default();
        let of = |picture, rendition| Asked { picture, rendition };
        let last = Position { msn: 3, part: 1 };
        let rung = of(Picture::Any, Rendition::Height(360));
        for asked in [Asked::best(Picture::Any), rung, Asked::best(Picture::H264)] {
            board.last.insert(asked, last);
        }
        board.last.insert(of(Picture::Any, Rendition::Sound), last);
        let told = |own| board.reports(own).into_iter().map(|report| report.uri).collect::<Vec<_>>();
        assert_eq!(told(Asked::best(Picture::Any)), ["360p/media.m3u8", "audio/media.m3u8"]);
        assert_eq!(told(rung), ["../audio/media.m3u8", "../media.m3u8"]);
        assert!(told(Asked::best(Picture::H264)).is_empty());
    }
}
