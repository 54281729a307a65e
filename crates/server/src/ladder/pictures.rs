//! A source's pictures, decoded once for all its rungs that are made in this process.
//!
//! Every rung gives it the frames that it reads; each is decoded once, whoever brings it first.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{io, thread};

use av::picture::{Ordered, Shown};
use media::broadcast::{Broadcast, TrackId};
use media::codec::Codec;
use media::{Frame, Timestamp};
use tokio::sync::OwnedSemaphorePermit;

use crate::audience::Protocol;
use crate::derived::{Cost, Derived};

/// Pictures that wait for the decoder: a cached group of 10 s at 30 a second, which it gets at once.
const WAITING_MAX: usize = 300;
/// Decoded pictures that wait for one encoder, of 3 MB each in 1080p.
const DECODED_MAX: usize = 4;
/// Who gets what is made of it.
pub(super) const VIEWERS: &[Protocol] =
    &[Protocol::Rtmp, Protocol::Flv, Protocol::WsFlv, Protocol::Hls, Protocol::Whep];

/// The decoder of one track, until the last rung lets go of it.
pub(super) struct Pictures {
    tasks: SyncSender<Task>,
    feed: Mutex<Feed>,
    readers: Arc<Readers>,
    names: AtomicU64,
}

enum Task {
    Unit(Arc<Codec>, Frame),
    /// This reader gets what is inside, and nothing after it.
    Finish(u64),
}

#[derive(Default)]
struct Feed {
    newest: Option<Timestamp>,
    /// What waited was too much; it goes on at the next keyframe.
    behind: bool,
}

#[derive(Default)]
struct Readers {
    /// `None` once the decoder has given up.
    list: Mutex<Option<Vec<Reader>>>,
    said: Mutex<String>,
}

#[derive(Clone)]
struct Reader {
    name: u64,
    pictures: SyncSender<Arc<Shown>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pictures {
    /// Whether this track is being decoded.
    pub(super) fn is_running(source: &Broadcast, track: TrackId) -> bool {
        source.derivations().get::<io::Result<Self>>(track.0.into()).is_some()
    }

    /// The decoder of a track; `permit` is its room where it has to be started.
    pub(super) fn of(
        source: &Broadcast,
        track: TrackId,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Arc<io::Result<Self>> {
        source.derivations().get_or_start(track.0.into(), || {
            let cost = Derived::of(source).add("pictures of H.264, for smaller ones", VIEWERS);
            Arc::new(Self::start(cost, permit))
        })
    }

    fn start(cost: Cost, permit: Option<OwnedSemaphorePermit>) -> io::Result<Self> {
        let (tasks, waiting) = sync_channel(WAITING_MAX);
        let readers = Arc::new(Readers { list: Mutex::new(Some(Vec::new())), said: Mutex::default() });
        let work = Work { readers: Arc::clone(&readers), cost, decoder: None, _permit: permit };
        thread::Builder::new().name("decode".into()).spawn(move || work.run(&waiting))?;
        Ok(Self { tasks, feed: Mutex::default(), readers, names: AtomicU64::new(0) })
    }

    /// Another reader of all pictures from now on, by its name. What it gets ends when it has finished, or the decoder
    /// has given up.
    pub(super) fn read(&self) -> (u64, Receiver<Arc<Shown>>) {
        let name = self.names.fetch_add(1, Ordering::Relaxed);
        let (pictures, read) = sync_channel(DECODED_MAX);
        if let Some(list) = &mut *lock(&self.readers.list) {
            list.push(Reader { name, pictures });
        }
        (name, read)
    }

    /// Takes a frame unless it was brought before.
    pub(super) fn push(&self, codec: &Arc<Codec>, frame: &Frame) {
        let mut feed = lock(&self.feed);
        if feed.newest.is_some_and(|newest| frame.dts <= newest) {
            return;
        }
        feed.newest = Some(frame.dts);
        if feed.behind && !frame.sync {
            return;
        }
        let sent = self.tasks.try_send(Task::Unit(Arc::clone(codec), frame.clone()));
        // One that gave up has ended what its readers get.
        feed.behind = matches!(sent, Err(TrySendError::Full(_)));
    }

    /// Nothing follows for this reader but what is inside.
    pub(super) fn finish(&self, name: u64) {
        // Where too much waits, what is inside is not waited for.
        if self.tasks.try_send(Task::Finish(name)).is_err() {
            self.readers.remove(name);
        }
    }

    /// Why it gave up, if it did.
    pub(super) fn said(&self) -> String {
        lock(&self.readers.said).clone()
    }
}

impl Readers {
    fn remove(&self, name: u64) {
        if let Some(list) = &mut *lock(&self.list) {
            list.retain(|reader| reader.name != name);
        }
    }

    /// Waits for readers that are slower: they are of the same source, and all get every picture.
    fn give(&self, shown: &Arc<Shown>) {
        let list = lock(&self.list).clone().unwrap_or_default();
        for reader in list {
            if reader.pictures.send(Arc::clone(shown)).is_err() {
                self.remove(reader.name);
            }
        }
    }
}

struct Work {
    readers: Arc<Readers>,
    cost: Cost,
    decoder: Option<(Arc<Codec>, Ordered)>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Work {
    fn run(mut self, tasks: &Receiver<Task>) {
        let mut shown = Vec::new();
        while let Ok(task) = tasks.recv() {
            let (done, finished) = match task {
                Task::Unit(codec, frame) => (self.decode(&codec, &frame, &mut shown), None),
                Task::Finish(name) => (self.drain(&mut shown), Some(name)),
            };
            for shown in shown.drain(..).map(Arc::new) {
                self.readers.give(&shown);
            }
            if let Some(name) = finished {
                self.readers.remove(name);
            }
            if let Err(error) = done {
                *lock(&self.readers.said) = error.to_string();
                *lock(&self.readers.list) = None;
                return;
            }
        }
    }

    fn decode(&mut self, codec: &Arc<Codec>, frame: &Frame, shown: &mut Vec<Shown>) -> Result<(), av::Error> {
        let Codec::H264(params) = &**codec else { return Ok(()) };
        if self.decoder.as_ref().is_none_or(|(own, _)| own != codec) {
            self.drain(shown)?;
            self.decoder = Some((Arc::clone(codec), Ordered::new(params)?));
        }
        let Some((_, decoder)) = &mut self.decoder else { return Ok(()) };
        self.cost.measure(|| decoder.handle_frame(frame, shown))
    }

    fn drain(&mut self, shown: &mut Vec<Shown>) -> Result<(), av::Error> {
        match &mut self.decoder {
            Some((_, decoder)) => decoder.drain(shown),
            None => Ok(()),
        }
    }
}
