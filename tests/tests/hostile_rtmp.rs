//! What a broken or hostile RTMP peer sends to the running server: it is closed or refused, and nobody else notices.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use e2e::healthy::{Healthy, resident_bytes, serve, until};
use e2e::raw::{self, HELLO, Raw};
use e2e::rtmp::{PATIENCE, is_frame, tags};
use server::App;
use tokio::task::JoinSet;
use wire::amf0::Value;
use wire::flv::TagKind;
use wire::rtmp::message::{Control, TYPE_AUDIO, TYPE_COMMAND, TYPE_DATA, TYPE_SET_CHUNK_SIZE, TYPE_VIDEO};

const RECORDING: &[u8] = include_bytes!("../fixtures/h264_aac.flv");
/// What the process may grow by while a peer claims gigabytes: one message of the largest size and its neighbours,
/// with room for what else goes on.
const GROWTH_MAX: usize = 48 << 20;

async fn healthy_server() -> (App, Healthy) {
    let app = serve(|_| {}).await;
    let healthy = Healthy::start(&app, "live/healthy").await;
    (app, healthy)
}

#[tokio::test]
async fn values_nested_64_deep_are_read_and_65_deep_end_the_session() {
    let (app, healthy) = healthy_server().await;
    let nest = |depth: usize| {
        let head = b"\x02\x00\x01x\x00\x40\x22\0\0\0\0\0\0\x05";
        raw::message(TYPE_COMMAND, 0, &[&head[..], &b"\x0A\0\0\0\x01".repeat(depth), &[5]].concat())
    };
    let mut peer = Raw::knock(app.addresses().rtmp).await.open().await;
    peer.send(&nest(64)).await;
    peer.until("NetConnection.Call.Failed").await;
    peer.send(&nest(65)).await;
    peer.closed().await;
    healthy.end_unharmed(app).await;
}

#[tokio::test]
async fn values_that_claim_billions_of_members_cost_no_memory() {
    let (app, healthy) = healthy_server().await;
    let before = resident_bytes();
    let claims: [&[u8]; 4] = [
        b"\x0A\xFF\xFF\xFF\xFF",
        b"\x08\xFF\xFF\xFF\xFF\0\x01a\x05",
        b"\x0C\xFF\xFF\xFF\xFFshort",
        b"\x02\xFF\xFFshort",
    ];
    for claim in claims {
        let mut peer = Raw::knock(app.addresses().rtmp).await.open().await;
        peer.send(&raw::message(TYPE_COMMAND, 0, &[b"\x02\0\x01x\0\0\0\0\0\0\0\0\0", claim].concat())).await;
        peer.closed().await;
        let mut publisher = Raw::publishing(app.addresses().rtmp, "claims").await;
        let metadata = [b"\x02\0\x0AonMetaData", claim].concat();
        publisher.send(&raw::message(TYPE_DATA, 0, &metadata)).await;
        publisher.hang_up().await;
        publisher.closed().await;
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_MAX, "grown by {grown} bytes");
    healthy.end_unharmed(app).await;
}

/// A whole session: handshake, commands, parameters, pictures and sound.
fn session() -> (Vec<u8>, usize) {
    let mut bytes = HELLO.to_vec();
    let handshake = bytes.len();
    bytes.extend(raw::connect());
    for (name, transaction) in [("releaseStream", 2.0), ("FCPublish", 3.0)] {
        bytes.extend(raw::command(name, transaction, &[Value::Null, "cut".into()]));
    }
    bytes.extend(raw::command("createStream", 4.0, &[Value::Null]));
    bytes.extend(raw::ask("publish", "cut"));
    let tags = tags(RECORDING);
    let parameters = tags.iter().filter(|tag| !is_frame(tag)).take(3);
    let frames = |kind| {
        tags.iter().filter(move |tag| is_frame(tag) && tag.kind == kind && tag.body.len() < 400).take(2)
    };
    for tag in parameters.chain(frames(TagKind::Video)).chain(frames(TagKind::Audio)) {
        let type_id = match tag.kind {
            TagKind::Audio => TYPE_AUDIO,
            TagKind::Video => TYPE_VIDEO,
            TagKind::Script => TYPE_DATA,
        };
        bytes.extend(raw::message(type_id, tag.timestamp_ms, &tag.body));
    }
    bytes.extend(raw::command("deleteStream", 0.0, &[Value::Null, 1.0.into()]));
    (bytes, handshake)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_cut_at_any_byte_ends_alone() {
    let (app, healthy) = healthy_server().await;
    let rtmp = app.addresses().rtmp;
    let (session, handshake) = session();
    let session = Bytes::from(session);
    // Within the random filling of the handshake one byte is as good as another.
    let cuts = [0, 1, 2, 8, 1_000, 1_536, 1_537, 1_538, 3_072].into_iter().chain(handshake..=session.len());
    let mut cutting = JoinSet::new();
    for cut in cuts {
        if cutting.len() >= 8 {
            cutting.join_next().await.expect("one is running").expect("it is closed");
        }
        let whole = session.slice(..cut);
        cutting.spawn(async move {
            let mut peer = Raw::knock(rtmp).await;
            peer.send(&whole).await;
            peer.hang_up().await;
            peer.closed().await;
        });
    }
    while let Some(closed) = cutting.join_next().await {
        closed.expect("it is closed");
    }
    healthy.end_unharmed(app).await;
}

#[tokio::test]
async fn chunk_sizes_of_nothing_and_of_half_the_address_space_end_the_session() {
    let (app, healthy) = healthy_server().await;
    for size in [0, 1 << 31, u32::MAX] {
        let mut peer = Raw::publishing(app.addresses().rtmp, "sizes").await;
        peer.send(&raw::message(TYPE_SET_CHUNK_SIZE, 0, &size.to_be_bytes())).await;
        peer.closed().await;
    }
    healthy.end_unharmed(app).await;
}

#[tokio::test]
async fn a_chunk_size_that_changes_inside_a_message_is_followed() {
    let (app, healthy) = healthy_server().await;
    let mut peer = Raw::knock(app.addresses().rtmp).await.open().await;
    let whole = raw::command("nonsense", 9.0, &[Value::Null, "x".repeat(300).as_str().into()]);
    // Header 12, the first 128 bytes; then on chunk stream 2 the new size; the rest of the message in one chunk.
    let (first, rest) = whole.split_at(12 + 128);
    let mut payload = rest.to_vec();
    payload.remove(1 + 128);
    let size = [2, 0, 0, 0, 0, 0, 4, TYPE_SET_CHUNK_SIZE, 0, 0, 0, 0, 0, 0, 4, 0];
    peer.send(&[first, &size, &payload].concat()).await;
    peer.until("NetConnection.Call.Failed").await;
    drop(peer);
    healthy.end_unharmed(app).await;
}

#[tokio::test]
async fn a_peer_of_65_000_chunk_streams_is_closed_at_the_limit() {
    let (app, healthy) = healthy_server().await;
    let before = resident_bytes();
    let mut peer = Raw::publishing(app.addresses().rtmp, "streams").await;
    let mut flood = Vec::new();
    for number in 0..65_000_u16 {
        // Basic header of three bytes (§5.3.1.1), message header of format 0, one byte of two.
        let [high, low] = number.to_be_bytes();
        flood.extend([1, low, high, 0, 0, 0, 0, 0, 2, TYPE_AUDIO, 1, 0, 0, 0, 0xAF, 1]);
    }
    peer.send(&flood).await;
    peer.closed().await;
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_MAX, "grown by {grown} bytes");
    healthy.end_unharmed(app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_beyond_the_limit_end_the_session_before_they_are_stored() {
    let (app, healthy) = healthy_server().await;
    let before = resident_bytes();
    let mut largest = Raw::publishing(app.addresses().rtmp, "large").await;
    largest.send(&[3, 0, 0, 0, 0xFF, 0xFF, 0xFF, TYPE_VIDEO, 1, 0, 0, 0]).await;
    largest.closed().await;
    // Each within the limit of one message, together beyond that of a connection: chunks of 4 MB, unfinished.
    let mut many = Raw::publishing(app.addresses().rtmp, "many").await;
    many.send(&raw::message(TYPE_SET_CHUNK_SIZE, 0, &(4_u32 << 20).to_be_bytes())).await;
    let filling = vec![0; 4 << 20];
    for chunk_stream in 4..12 {
        if !many.send(&[chunk_stream, 0, 0, 0, 0x7F, 0xFF, 0xFF, TYPE_VIDEO, 1, 0, 0, 0]).await
            || !many.send(&filling).await
        {
            break;
        }
    }
    many.closed().await;
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_MAX, "grown by {grown} bytes");
    healthy.end_unharmed(app).await;
}

#[tokio::test]
async fn peers_that_drip_a_handshake_or_fall_silent_are_closed_in_time_and_hold_little() {
    const PEERS: usize = 200;
    /// Both ends' sockets live in this process, and a handshake keeps what it must compare.
    const PEER_BYTES_MAX: usize = 32 << 10;
    let app = serve(|config| config.rtmp.set_up = Duration::from_millis(1_500)).await;
    let healthy = Healthy::start(&app, "live/healthy").await;
    let before = resident_bytes();
    let mut peers = Vec::new();
    for number in 0..PEERS {
        let mut peer = Raw::knock(app.addresses().rtmp).await;
        match number % 4 {
            0 => true,
            1 => peer.send(&HELLO[..1_000]).await,
            2 => peer.send(&HELLO).await,
            _ => peer.send(&[&HELLO[..], &raw::connect()].concat()).await,
        };
        peers.push(peer);
    }
    let mut dripping = Raw::knock(app.addresses().rtmp).await;
    let mut dripped = 0;
    for byte in HELLO {
        // A byte each few milliseconds: all the while something comes, and yet it must end.
        if !dripping.send(&[byte]).await {
            break;
        }
        dripped += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(dripped < HELLO.len(), "the handshake was never finished in time");
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < PEERS * PEER_BYTES_MAX, "{PEERS} peers hold {grown} bytes");
    dripping.closed().await;
    for peer in peers {
        peer.closed().await;
    }
    healthy.end_unharmed(app).await;
}

#[tokio::test]
async fn a_publisher_that_falls_silent_is_closed() {
    let app = serve(|config| config.publish.idle = Duration::from_millis(2_000)).await;
    let healthy = Healthy::start(&app, "live/healthy").await;
    Raw::publishing(app.addresses().rtmp, "silent").await.closed().await;
    healthy.end_unharmed(app).await;
}

#[tokio::test]
async fn one_session_does_not_play_and_publish() {
    let (app, healthy) = healthy_server().await;
    let mut player = Raw::knock(app.addresses().rtmp).await.open().await;
    player.send(&raw::ask("play", "healthy")).await;
    player.until("NetStream.Play.Start").await;
    player.send(&raw::ask("publish", "second")).await;
    player.closed().await;
    let mut publisher = Raw::publishing(app.addresses().rtmp, "first").await;
    publisher.send(&raw::ask("play", "healthy")).await;
    assert_eq!(publisher.told().await, ["NetStream.Play.StreamNotFound"], "the reason, and the end");
    let names: Vec<String> = app.context().hub.list().iter().map(|live| live.path().to_string()).collect();
    assert!(!names.iter().any(|name| name == "live/second"), "{names:?}");
    healthy.end_unharmed(app).await;
}

#[tokio::test]
async fn a_name_that_is_none_is_refused_with_a_status_before_the_end() {
    let (app, healthy) = healthy_server().await;
    for (what, refusal) in
        [("publish", "NetStream.Publish.BadName"), ("play", "NetStream.Play.StreamNotFound")]
    {
        let mut peer = Raw::knock(app.addresses().rtmp).await.open().await;
        peer.send(&raw::ask(what, "../../etc/passwd")).await;
        assert_eq!(peer.told().await, [refusal]);
    }
    healthy.end_unharmed(app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_player_that_pings_and_never_reads_is_closed_before_its_answers_pile_up() {
    let (app, healthy) = healthy_server().await;
    let before = resident_bytes();
    let mut player = Raw::knock_narrow(app.addresses().rtmp).await.open().await;
    player.send(&raw::ask("play", "healthy")).await;
    player.until("NetStream.Play.Start").await;
    let mut pings = BytesMut::new();
    for number in 0..50_000 {
        Control::Ping(number).write(&mut pings);
    }
    // 90 MB of questions if nobody stops it.
    let mut rounds = 0;
    while rounds < 100 && player.send(&pings).await {
        rounds += 1;
    }
    assert!(rounds < 100, "the server went on answering");
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_MAX, "grown by {grown} bytes");
    drop(player);
    healthy.end_unharmed(app).await;
}

#[tokio::test]
async fn readers_that_never_read_are_closed_in_every_protocol_and_the_others_lose_nothing() {
    let app = serve(|config| {
        config.egress.stalled_max = Duration::from_secs(1);
        config.egress.unsent_bytes_max = 4 << 10;
    })
    .await;
    let healthy = Healthy::start(&app, "live/healthy").await;
    let (rtmp, http) = (app.addresses().rtmp, app.addresses().http);
    let mut player = Raw::knock_narrow(rtmp).await.open().await;
    player.send(&raw::ask("play", "healthy")).await;
    let mut flv = Raw::knock_narrow(http).await;
    flv.send(b"GET /live/healthy.flv HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let mut ws = Raw::knock_narrow(http).await;
    ws.send(
        b"GET /live/healthy.flv HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
          Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    )
    .await;
    let totals = || app.context().egress.totals().stalled.load(Ordering::Relaxed);
    until("all three are closed as stalled", || totals() == 3).await;
    for peer in [player, flv, ws] {
        peer.closed().await;
    }
    healthy.end_unharmed(app).await;
}

#[tokio::test]
async fn a_reader_that_stops_for_a_while_skips_to_a_keyframe_and_goes_on() {
    let app = serve(|config| {
        config.egress.lag_max = Duration::from_millis(500);
        config.egress.unsent_bytes_max = 4 << 10;
    })
    .await;
    let healthy = Healthy::start(&app, "live/healthy").await;
    let mut slow = Raw::knock_narrow(app.addresses().http).await;
    slow.send(b"GET /live/healthy.flv HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let reading = tokio::spawn(slow.closed());
    let skips = || app.context().egress.totals().skips.load(Ordering::Relaxed);
    until("it skips", || skips() > 0).await;
    assert_eq!(app.context().egress.totals().stalled.load(Ordering::Relaxed), 0);
    healthy.end_unharmed(app).await;
    tokio::time::timeout(PATIENCE, reading).await.expect("it hears the end").expect("it read on");
}
