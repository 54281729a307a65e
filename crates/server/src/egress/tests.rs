//! Behaviour of the egress, over socket pairs, with a real recording as the source.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use media::Path;
use media::hub::{Hub, Options, Takeover};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;
use wire::flv::TagKind;
use wire::flv::file::{Reader, Tag};
use wire::ws;

use super::*;
use crate::audience::Audience;
use crate::ingest::Publisher;

const RECORDING: &[u8] = include_bytes!("../../../../tests/fixtures/h264_aac.flv");
/// Generous: these tests wait for events, never for time.
const PATIENCE: Duration = Duration::from_secs(10);

fn tags() -> Vec<Tag> {
    let mut reader = Reader::new();
    reader.handle_input(RECORDING);
    std::iter::from_fn(|| reader.poll_tag().unwrap()).collect()
}

struct Stage {
    egress: Egress,
    publisher: Option<Publisher>,
    broadcast: Broadcast,
    counters: Arc<Counters>,
    tags: Vec<Tag>,
    _stop: tokio_util::sync::DropGuard,
}

impl Stage {
    fn new(config: config::Egress) -> Self {
        let stopping = CancellationToken::new();
        let options = Options { grace: PATIENCE, broadcasts_max: 1, ring_bytes_max: 64 << 20 };
        let now = Instant::now();
        let path = Path::new("live/x").unwrap();
        let producer = Hub::new(options).claim(&path, Takeover::Newest, now).unwrap();
        let publisher = Publisher::new(producer, now);
        let counters = Arc::new(Counters::default());
        Self {
            egress: Egress::start(&config, &stopping, &counters),
            counters,
            broadcast: publisher.broadcast(),
            publisher: Some(publisher),
            tags: tags(),
            _stop: stopping.drop_guard(),
        }
    }

    /// Publishes the recording's tags in this range, each seen by everyone before the next.
    async fn publish(&mut self, range: std::ops::Range<usize>) {
        let publisher = self.publisher.as_mut().expect("still publishing");
        for tag in &self.tags[range] {
            publisher.handle_tag(Instant::now(), tag.kind, tag.timestamp_ms, &tag.body).unwrap();
            tokio::task::yield_now().await;
        }
    }

    async fn join(&self, format: Format, latency: Duration) -> (UnixStream, Arc<Outbox>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let outbox = Arc::new(Outbox::default());
        let join = Join {
            broadcast: self.broadcast.clone(),
            format,
            wish: Wish { latency, tracks: Selection::Best },
            socket: Arc::new(Socket::Pair(ours)),
            preface: Bytes::from_static(if format == Format::Rtmp { b"" } else { b"HEAD" }),
            seat: Audience::of(&self.broadcast).sit(format.protocol()),
            session: (format == Format::Rtmp).then(|| Arc::clone(&outbox)),
        };
        self.egress.join(join).await;
        (theirs, outbox)
    }

    async fn watch(&self) -> FlvViewer {
        let (mut socket, _) = self.join(Format::Flv, Duration::ZERO).await;
        let mut head = [0; 4];
        socket.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HEAD");
        FlvViewer { socket, reader: Reader::new(), bytes: 0 }
    }

    /// A viewer that makes its task panic once the flag is set.
    async fn join_faulty(&self) -> (FlvViewer, Arc<AtomicBool>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let armed = Arc::new(AtomicBool::new(false));
        let seat = Audience::of(&self.broadcast).sit(Protocol::Flv);
        let peer = Peer::Faulty(Arc::clone(&armed));
        let viewer = Viewer::new(Arc::new(Socket::Pair(ours)), Bytes::new(), peer, seat);
        let feed = Feed::of(&self.broadcast, Format::Flv, Selection::Best, &self.counters);
        let arrival = shard::Arrival { viewer, feed, latency: Duration::ZERO };
        assert!(self.egress.0.shards[0].send(arrival).await.is_ok());
        (FlvViewer { socket: theirs, reader: Reader::new(), bytes: 0 }, armed)
    }

    fn panics(&self) -> u64 {
        self.counters.panics.load(Ordering::Relaxed)
    }

    fn watching(&self) -> u32 {
        Audience::of(&self.broadcast).viewers().map(|(_, count)| count).sum()
    }

    /// Frames of the recording.
    fn media(&self) -> usize {
        self.tags.iter().filter(|tag| is_frame(tag)).count()
    }

    /// Frames from its first keyframe on: what the first viewer is owed.
    fn joined(&self) -> usize {
        self.tags.iter().skip_while(|tag| !is_keyframe(tag)).filter(|tag| is_frame(tag)).count()
    }
}

/// A coded frame, neither parameters nor script data.
fn is_frame(tag: &Tag) -> bool {
    tag.kind != TagKind::Script && tag.body.get(1) == Some(&1)
}

fn is_keyframe(tag: &Tag) -> bool {
    is_frame(tag) && tag.kind == TagKind::Video && tag.body[0] == 0x17
}

struct FlvViewer {
    socket: UnixStream,
    reader: Reader,
    bytes: usize,
}

impl FlvViewer {
    /// The next tag, or `None` at the end.
    async fn tag(&mut self) -> Option<Tag> {
        loop {
            if let Some(tag) = self.reader.poll_tag().expect("well-formed FLV") {
                return Some(tag);
            }
            let mut buffer = vec![0; 64 << 10];
            let read =
                timeout(PATIENCE, self.socket.read(&mut buffer)).await.expect("something comes").unwrap();
            if read == 0 {
                return None;
            }
            self.bytes += read;
            self.reader.handle_input(&buffer[..read]);
        }
    }

    async fn frames(&mut self, count: usize) -> Vec<Tag> {
        let mut frames = Vec::new();
        while frames.len() < count {
            match self.tag().await {
                Some(tag) if is_frame(&tag) => frames.push(tag),
                Some(_) => {}
                None => break,
            }
        }
        frames
    }
}

#[tokio::test]
async fn a_viewer_begins_with_metadata_parameters_and_the_newest_keyframe_and_then_gets_every_frame() {
    let mut stage = Stage::new(config::Egress::default());
    let half = stage.tags.len() / 2 + 20;
    stage.publish(0..half).await;
    let mut viewer = stage.watch().await;
    let first: Vec<Tag> = [viewer.tag().await, viewer.tag().await, viewer.tag().await, viewer.tag().await]
        .into_iter()
        .map(Option::unwrap)
        .collect();
    assert_eq!(first[0].kind, TagKind::Script);
    assert!(first[1..3].iter().all(|tag| tag.body[1] == 0), "parameters of picture and sound");
    assert_eq!((first[3].kind, first[3].body[0]), (TagKind::Video, 0x17), "a keyframe");
    let keyframe = stage.tags[..half].iter().rposition(is_keyframe).unwrap();
    let owed = stage.tags[keyframe + 1..].iter().filter(|tag| is_frame(tag)).count();
    stage.publish(half..stage.tags.len()).await;
    stage.publisher.take().unwrap().end();
    let rest = viewer.frames(usize::MAX).await;
    assert_eq!(rest.len(), owed);
    let last_video = |tags: &[Tag]| {
        tags.iter().rfind(|tag| is_frame(tag) && tag.kind == TagKind::Video).unwrap().body.clone()
    };
    assert_eq!(last_video(&rest), last_video(&stage.tags), "payloads are untouched");
}

#[tokio::test]
async fn viewers_that_wait_for_the_publisher_get_what_viewers_of_a_running_broadcast_get() {
    let mut stage = Stage::new(config::Egress::default());
    let mut early = stage.watch().await;
    let all = stage.tags.len();
    stage.publish(0..all).await;
    let mut merged = {
        let (mut socket, _) = stage.join(Format::Flv, Duration::from_millis(50)).await;
        socket.read_exact(&mut [0; 4]).await.unwrap();
        FlvViewer { socket, reader: Reader::new(), bytes: 0 }
    };
    stage.publisher.take().unwrap().end();
    let early = early.frames(usize::MAX).await;
    let merged = merged.frames(usize::MAX).await;
    assert_eq!(early.len(), stage.joined());
    assert!(!merged.is_empty());
    assert_eq!(early[early.len() - merged.len()..], merged[..]);
}

#[tokio::test]
async fn a_viewer_that_stops_reading_skips_to_a_keyframe_while_the_others_lose_nothing() {
    let config =
        config::Egress { lag_max: Duration::from_millis(500), shards: 1, ..config::Egress::default() };
    let mut stage = Stage::new(config);
    let mut quick = stage.watch().await;
    let mut slow = stage.watch().await;
    let all = stage.tags.len();
    stage.publish(0..all).await;
    assert_eq!(quick.frames(stage.joined()).await.len(), stage.joined());
    // The same four seconds again and again, until a socket that nobody reads is full and more is lost.
    let rounds = 12;
    for _ in 1..rounds {
        stage.publish(1..all).await;
        assert_eq!(quick.frames(stage.media()).await.len(), stage.media());
    }
    stage.publisher.take().unwrap().end();
    let got = slow.frames(usize::MAX).await;
    assert!(got.len() < rounds * stage.media(), "it must have lost something, and got {}", got.len());
    assert!(stage.egress.totals().skips.load(Ordering::Relaxed) >= 1);
    let times: Vec<u32> =
        got.iter().filter(|tag| tag.kind == TagKind::Video).map(|tag| tag.timestamp_ms).collect();
    let after_gap = times.windows(2).position(|pair| pair[1] - pair[0] > 200).expect("a gap") + 1;
    let video: Vec<&Tag> = got.iter().filter(|tag| tag.kind == TagKind::Video).collect();
    assert_eq!(video[after_gap].body[0], 0x17, "it goes on at a keyframe");
}

#[tokio::test]
async fn a_viewer_that_takes_nothing_for_too_long_is_closed_and_counted() {
    let config =
        config::Egress { stalled_max: Duration::from_millis(50), shards: 1, ..config::Egress::default() };
    let mut stage = Stage::new(config);
    let _stuck = stage.watch().await;
    let mut quick = stage.watch().await;
    let all = stage.tags.len();
    let stalled = async {
        stage.publish(0..all).await;
        quick.frames(stage.joined()).await;
        while stage.egress.totals().stalled.load(Ordering::Relaxed) == 0 {
            stage.publish(1..all).await;
            quick.frames(stage.media()).await;
        }
    };
    timeout(PATIENCE, stalled).await.expect("the stuck viewer is closed");
}

#[tokio::test]
async fn websocket_viewers_get_the_same_bytes_in_binary_messages_and_their_pings_are_answered() {
    let mut stage = Stage::new(config::Egress::default());
    let all = stage.tags.len();
    stage.publish(0..all).await;
    let (mut socket, _) = stage.join(Format::WsFlv, Duration::ZERO).await;
    socket.read_exact(&mut [0; 4]).await.unwrap();
    let mut client = ws::Session::client(7);
    client.send_ping();
    socket.write_all(&client.poll_transmit().unwrap()).await.unwrap();
    let mut flv = Reader::new();
    let (mut frames, mut pong) = (0, false);
    let mut raw = Vec::new();
    while frames == 0 || !pong {
        let mut buffer = vec![0; 64 << 10];
        let read = timeout(PATIENCE, socket.read(&mut buffer)).await.expect("something comes").unwrap();
        raw.extend_from_slice(&buffer[..read]);
        pong |= raw.windows(2).any(|pair| pair == [0x8A, 0]);
        client.handle_input(&buffer[..read]).unwrap();
        while let Some(ws::Event::Data(bytes)) = client.poll_event() {
            flv.handle_input(&bytes);
        }
        while let Some(tag) = flv.poll_tag().unwrap() {
            frames += usize::from(is_frame(&tag));
        }
    }
}

#[tokio::test]
async fn an_rtmp_session_is_told_that_the_broadcast_ended_after_everything_was_written() {
    let mut stage = Stage::new(config::Egress::default());
    let all = stage.tags.len();
    stage.publish(0..all).await;
    let (mut socket, outbox) = stage.join(Format::Rtmp, Duration::ZERO).await;
    outbox.send(b"\x02control").expect("room");
    stage.publisher.take().unwrap().end();
    let finished = timeout(PATIENCE, outbox.finished());
    let drain = async {
        let mut got = Vec::new();
        let _ = socket.read_to_end(&mut got).await;
        got
    };
    let (finished, got) = tokio::join!(finished, timeout(PATIENCE, drain));
    assert_eq!(finished.unwrap(), Finished::Ended);
    let got = got.expect("the socket is closed once nobody holds it");
    assert!(got.windows(8).any(|window| window == b"\x02control"));
    assert!(got.len() > 20_000, "{} bytes of messages", got.len());
}

/// What an RTMP player sends is its session's to read. The test's runtime has one thread: whoever keeps that busy lets
/// nothing below happen.
#[tokio::test]
async fn a_player_that_talks_while_it_waits_for_the_first_picture_keeps_no_thread_busy() {
    let stage = Stage::new(config::Egress::default());
    let (mut socket, outbox) = stage.join(Format::Rtmp, Duration::ZERO).await;
    socket.write_all(b"more").await.unwrap();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    drop(socket);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    outbox.release();
    let finished = timeout(PATIENCE, outbox.finished()).await.expect("it is let go at once");
    assert_eq!(finished, Finished::Closed);
}

#[tokio::test]
async fn seats_are_free_again_when_viewers_leave() {
    let mut stage = Stage::new(config::Egress::default());
    let all = stage.tags.len();
    stage.publish(0..all).await;
    let audience = Audience::of(&stage.broadcast);
    let mut viewer = stage.watch().await;
    viewer.frames(1).await;
    assert_eq!(audience.viewers().map(|(_, count)| count).sum::<u32>(), 1);
    drop(viewer);
    let empty = async {
        while audience.viewers().any(|(_, count)| count > 0) {
            stage.publish(1..all).await;
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, empty).await.expect("the seat is given back");
}

fn one_shard() -> config::Egress {
    config::Egress { shards: 1, ..config::Egress::default() }
}

#[tokio::test]
async fn a_panic_over_one_viewer_that_catches_up_loses_that_viewer_alone_and_leaks_nothing() {
    let mut stage = Stage::new(one_shard());
    let all = stage.tags.len();
    let mut healthy = stage.watch().await;
    let (mut faulty, armed) = stage.join_faulty().await;
    armed.store(true, Ordering::Release);
    stage.publish(0..all).await;
    assert!(faulty.tag().await.is_none(), "it is closed");
    assert_eq!(healthy.frames(stage.joined()).await.len(), stage.joined());
    assert_eq!((stage.panics(), stage.watching()), (1, 1));
    drop(healthy);
    let forgotten = async {
        // The shard notices who left when it writes; a group that has nobody lets go of its feed.
        while stage.broadcast.derivations().get::<Feed>(Format::Flv as u32 * 2).is_some() {
            stage.publish(1..all).await;
        }
    };
    timeout(PATIENCE, forgotten).await.expect("the group's count came down to nobody");
}

#[tokio::test]
async fn a_panic_in_a_shard_is_counted_closes_its_viewers_and_the_next_ones_are_served() {
    let mut stage = Stage::new(one_shard());
    let all = stage.tags.len();
    let mut healthy = stage.watch().await;
    let (mut faulty, armed) = stage.join_faulty().await;
    stage.publish(0..all).await;
    for viewer in [&mut healthy, &mut faulty] {
        assert_eq!(viewer.frames(stage.joined()).await.len(), stage.joined());
    }
    // Both have everything; their tasks hand them back to the shard.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    armed.store(true, Ordering::Release);
    stage.publish(1..all).await;
    while healthy.tag().await.is_some() {}
    while faulty.tag().await.is_some() {}
    assert_eq!((stage.panics(), stage.watching()), (1, 0));
    let mut next = stage.watch().await;
    stage.publish(1..all).await;
    assert!(!next.frames(10).await.is_empty());
    assert_eq!((stage.panics(), stage.watching()), (1, 1));
}
