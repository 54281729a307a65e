//! A publisher that sends its pictures in layers, and which of them everybody gets.

use std::sync::Arc;
use std::time::Duration;

use client::link::{Impairment, Link};
use e2e::healthy::serve;
use e2e::http::{self, request};
use e2e::recording::Kind;
use e2e::rtc::layers::{LAYERS, is_keyframe, told};
use e2e::rtc::{Client, Event, Offer, Options, SDP};
use e2e::rtmp::Viewer;
use server::App;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, timeout};
use wire::flv::TagKind;

/// Longer than anything here takes on a machine that others use too.
const PATIENCE: Duration = Duration::from_secs(40);

/// A publisher of three layers and sound that sends by itself until it is dropped.
struct Publisher {
    client: Arc<Client>,
    _sending: JoinSet<()>,
}

impl Publisher {
    async fn start(app: &App) -> Self {
        let offer = Offer::in_layers(app.addresses().rtc, &LAYERS.map(|layer| layer.rid)).await;
        let unstarted = offer.post(app.addresses().http, "/live/x/whip").await;
        assert!(unstarted.answer.contains("a=simulcast:recv l;m;h\r\n"), "{}", unstarted.answer);
        let client = Arc::new(unstarted.start().await);
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

    async fn stop(&self, layer: usize, stops: bool) {
        self.client.tell(move |driver| driver.sending.stopped[layer] = stops).await;
    }

    async fn resting(&self) -> [bool; 3] {
        self.client.ask(|driver| driver.sending.resting).await
    }

    /// Waits until just these layers rest.
    async fn until_resting(&self, wanted: [bool; 3]) {
        let rest = async {
            while self.resting().await != wanted {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, rest).await.unwrap_or_else(|_| panic!("never rested so: {wanted:?}"));
    }
}

async fn watch(app: &App) -> Client {
    let offer = Offer::with_channel(app.addresses().rtc).await;
    offer.post(app.addresses().http, "/live/x/whep").await.start().await
}

/// A slice as a viewer got it.
#[derive(Clone, Copy, Debug)]
struct Slice {
    at: std::time::Instant,
    sequence: u64,
    time: u64,
    layer: usize,
    number: u32,
    /// Decoding can begin with its picture.
    is_key: bool,
}

/// What comes of the pictures until `done` says so, and what was said meanwhile.
async fn see(
    viewer: &mut Client,
    mut done: impl FnMut(&Slice) -> bool,
) -> (Vec<Slice>, Vec<serde_json::Value>) {
    let (mut slices, mut said) = (Vec::new(), Vec::new());
    let mut keyed = None;
    let seeing = async {
        loop {
            match viewer.event().await.expect("the session goes on") {
                Event::Said(text) => said.push(serde_json::from_str(&text).expect("JSON")),
                Event::Packet(packet) if packet.kind == Kind::Video => {
                    if is_keyframe(&packet.payload) {
                        keyed = Some(packet.time);
                    }
                    let Some((layer, number)) = told(&packet.payload) else { continue };
                    let slice = Slice {
                        at: packet.at,
                        sequence: packet.sequence,
                        time: packet.time,
                        layer,
                        number,
                        is_key: keyed == Some(packet.time),
                    };
                    slices.push(slice);
                    if done(&slice) {
                        return;
                    }
                }
                _ => {}
            }
        }
    };
    timeout(PATIENCE, seeing).await.expect("it is seen in time");
    (slices, said)
}

/// Everything of this layer for a while.
async fn settle(viewer: &mut Client, layer: usize) -> (Vec<Slice>, Vec<serde_json::Value>) {
    let mut since = None;
    see(viewer, |slice| match slice.layer == layer {
        true => since.get_or_insert(slice.at).elapsed() >= Duration::from_millis(600),
        false => {
            since = None;
            false
        }
    })
    .await
}

/// The longest time without a new picture.
fn longest_gap(slices: &[Slice]) -> Duration {
    let mut firsts: Vec<&Slice> = Vec::new();
    for slice in slices {
        if firsts.last().is_none_or(|last| last.time < slice.time) {
            firsts.push(slice);
        }
    }
    firsts.windows(2).map(|pair| pair[1].at - pair[0].at).max().unwrap_or_default()
}

async fn info(app: &App) -> serde_json::Value {
    request(app.addresses().http, "GET", "/api/v1/broadcasts/live/x", &[]).await.json()
}

async fn layer_of_flv(viewer: &mut Viewer) -> usize {
    loop {
        let tag = viewer.tag().await.expect("the broadcast goes on");
        // A frame, not parameters: behind the tag's five bytes and the unit's length.
        if tag.kind == TagKind::Video
            && tag.body.get(1) == Some(&1)
            && let Some((layer, _)) = tag.body.get(9..).and_then(told)
        {
            return layer;
        }
    }
}

async fn until_flv_is(viewer: &mut Viewer, layer: usize) {
    let shown = async { while layer_of_flv(viewer).await != layer {} };
    timeout(PATIENCE, shown).await.unwrap_or_else(|_| panic!("never showed layer {layer}"));
}

#[tokio::test]
async fn three_layers_are_three_tracks_and_others_go_on_with_the_next_when_the_best_stops() {
    let app = serve(|_| {}).await;
    let publisher = Publisher::start(&app).await;
    sleep(Duration::from_millis(300)).await;
    let mut flv = Viewer::watch(app.addresses().http, "live/x").await;
    until_flv_is(&mut flv, 2).await;
    sleep(Duration::from_millis(2_500)).await;
    let told = info(&app).await;
    let widths: Vec<_> =
        told["tracks"].as_array().expect("tracks").iter().map(|t| t["width"].clone()).collect();
    assert_eq!(widths, [1_280.into(), serde_json::Value::Null, 640.into(), 320.into()], "{told}");
    let layers: Vec<_> = told["layers"]
        .as_array()
        .expect("layers")
        .iter()
        .map(|l| (l["rid"].clone(), l["rank"].clone()))
        .collect();
    assert_eq!(layers, [("l".into(), 2.into()), ("m".into(), 1.into()), ("h".into(), 0.into())]);
    let kbps = told["layers"][2]["bitrate_bps"].as_u64().expect("a bitrate") / 1_000;
    assert!((600..2_000).contains(&kbps), "{told}");
    publisher.stop(2, true).await;
    until_flv_is(&mut flv, 1).await;
    publisher.stop(2, false).await;
    until_flv_is(&mut flv, 2).await;
}

#[tokio::test]
async fn a_viewer_gets_the_layer_that_its_element_shows_without_a_gap() {
    let app = serve(|_| {}).await;
    let _publisher = Publisher::start(&app).await;
    sleep(Duration::from_millis(500)).await;
    let mut viewer = watch(&app).await;
    settle(&mut viewer, 2).await;
    viewer.say(r#"{"type":"view","width":320,"height":180,"visible":true}"#).await;
    let (mut slices, mut said) = see(&mut viewer, |slice| slice.layer == 0).await;
    let more = settle(&mut viewer, 0).await;
    slices.extend(more.0);
    said.extend(more.1);
    viewer.say(r#"{"type":"view","width":1280,"height":720,"visible":true}"#).await;
    slices.extend(see(&mut viewer, |slice| slice.layer == 2).await.0);
    slices.extend(settle(&mut viewer, 2).await.0);
    assert!(
        said.iter().any(|told| told["rid"] == "l" && told["reason"] == "size" && told["width"] == 320),
        "{said:?}"
    );
    for pair in slices.windows(2) {
        assert!(pair[1].sequence > pair[0].sequence && pair[1].time >= pair[0].time, "{pair:?}");
        assert!(
            pair[1].layer == pair[0].layer || pair[1].is_key,
            "another layer begins with a keyframe: {pair:?}"
        );
        assert!(pair[1].number + 12 > pair[0].number, "what was seen long ago is not shown again: {pair:?}");
    }
    let gap = longest_gap(&slices);
    assert!(gap < Duration::from_millis(400), "no picture for {gap:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_narrow_way_gets_a_small_layer_while_others_lose_nothing_and_a_large_one_when_it_widens() {
    let app = serve(|_| {}).await;
    let _publisher = Publisher::start(&app).await;
    sleep(Duration::from_millis(500)).await;
    let (mut narrow, mut wide) = (watch(&app).await, watch(&app).await);
    settle(&mut narrow, 2).await;
    settle(&mut wide, 2).await;
    let rate =
        |kbps| Impairment { rate_kbps: Some(kbps), queue_ms: 500, delay_ms: 20, ..Impairment::default() };
    narrow.tell(move |driver| driver.narrow = Some(Link::new(rate(350), 1))).await;
    let began = Instant::now();
    let (slices, _) = see(&mut narrow, |slice| slice.layer == 0).await;
    let down = began.elapsed();
    let gap = longest_gap(&slices);
    println!("down in {down:?}, longest gap {gap:?}");
    assert!(down < Duration::from_secs(8), "it took {down:?} down");
    settle(&mut narrow, 0).await;
    narrow.tell(move |driver| driver.narrow = Some(Link::new(rate(20_000), 1))).await;
    let began = Instant::now();
    see(&mut narrow, |slice| slice.layer == 2).await;
    let up = began.elapsed();
    println!("up in {up:?}");
    assert!(up < Duration::from_secs(15), "it took {up:?} up");
    let (seen, _) = see(&mut wide, |slice| slice.at >= began.into_std()).await;
    for pair in seen.windows(2) {
        assert_eq!((pair[1].layer, pair[1].number - pair[0].number <= 1), (2, true), "{pair:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_way_that_loses_by_chance_is_sent_everything_several_times() {
    let app = serve(|_| {}).await;
    let _publisher = Publisher::start(&app).await;
    sleep(Duration::from_millis(500)).await;
    let mut viewer = watch(&app).await;
    settle(&mut viewer, 2).await;
    let lossy = Impairment { loss: 30.0, ..Impairment::default() };
    viewer.tell(move |driver| driver.narrow = Some(Link::new(lossy, 1))).await;
    // Of three copies one comes in 97.3 % of all cases, of one in 70 %.
    let began = std::time::Instant::now();
    loop {
        let since = std::time::Instant::now();
        let (slices, _) = see(&mut viewer, |slice| slice.at >= since + Duration::from_secs(3)).await;
        // What is asked for again comes behind what was sent after it.
        let (first, mut next) = (slices[0].sequence, slices[0].sequence);
        let in_order = slices.iter().filter(|slice| {
            let is_next = slice.sequence >= next;
            next = next.max(slice.sequence + 1);
            is_next
        });
        let share = in_order.count() as f64 / (next - first) as f64;
        println!("{share:.3} after {:?}", began.elapsed());
        if share > 0.9 {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "it never got better than {share:.2}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_not_even_the_smallest_fits_sound_goes_on_alone_and_is_said_to() {
    let app = serve(|_| {}).await;
    let publisher = Publisher::start(&app).await;
    sleep(Duration::from_millis(500)).await;
    let mut viewer = watch(&app).await;
    settle(&mut viewer, 2).await;
    let rate =
        |kbps| Impairment { rate_kbps: Some(kbps), queue_ms: 800, delay_ms: 20, ..Impairment::default() };
    viewer.tell(move |driver| driver.narrow = Some(Link::new(rate(110), 1))).await;
    let state = async |viewer: &mut Client, state: &str| {
        while viewer.said().await["state"] != state {}
    };
    timeout(PATIENCE, state(&mut viewer, "paused")).await.expect("it is said");
    // What was sent before still comes, and what was lost of it is sent again: also as what room is looked for with.
    let next = publisher.client.ask(|driver| driver.sending.number).await;
    viewer.happened();
    sleep(Duration::from_secs(2)).await;
    let (mut newer, mut sound) = (Vec::new(), 0);
    for event in viewer.happened() {
        if let Event::Packet(packet) = event {
            match packet.kind {
                Kind::Video => newer.extend(told(&packet.payload).filter(|(_, number)| *number >= next)),
                Kind::Audio => sound += 1,
            }
        }
    }
    assert!(newer.is_empty() && sound > 80, "pictures {newer:?} and {sound} packets of sound in two seconds");
    viewer.tell(move |driver| driver.narrow = Some(Link::new(rate(20_000), 1))).await;
    timeout(PATIENCE, state(&mut viewer, "playing")).await.expect("it is said");
    see(&mut viewer, |slice| slice.layer == 2).await;
}

#[tokio::test]
async fn who_wants_the_sound_alone_gets_it_and_can_leave() {
    let app = serve(|_| {}).await;
    let _publisher = Publisher::start(&app).await;
    sleep(Duration::from_millis(500)).await;
    let mut viewer = Client::connect(&app, "live/x", Options { video: false, ..Options::WATCH }).await;
    let (began, mut packets) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_secs(2) {
        timeout(PATIENCE, viewer.packet_of(Kind::Audio)).await.expect("sound goes on");
        packets += 1;
    }
    assert!(packets > 40, "{packets} packets of sound in two seconds");
    assert_eq!(viewer.resource.delete().await.status, 200);
    let left = async { while viewer.event().await.is_some() {} };
    timeout(Duration::from_secs(5), left).await.expect("its session ends");
}

#[tokio::test]
async fn a_publisher_is_told_to_rest_what_nobody_watches_and_to_wake_it_when_somebody_does() {
    let app = serve(|_| {}).await;
    let publisher = Publisher::start(&app).await;
    publisher.until_resting([false, true, true]).await;
    let mut viewer = watch(&app).await;
    // At once, whatever there is.
    let (slices, _) = see(&mut viewer, |_| true).await;
    assert_eq!(slices[0].layer, 0);
    see(&mut viewer, |slice| slice.layer == 2).await;
    publisher.until_resting([false, true, false]).await;
    viewer.say(r#"{"type":"view","width":640,"height":360,"visible":true}"#).await;
    see(&mut viewer, |slice| slice.layer == 1).await;
    publisher.until_resting([false, false, true]).await;
    let told = info(&app).await;
    assert_eq!(
        (&told["layers"][2]["paused"], &told["layers"][1]["viewers"]),
        (&true.into(), &1.into()),
        "{told}"
    );
    let sessions = request(app.addresses().http, "GET", "/api/v1/sessions?action=play", &[]).await.json();
    let view = &sessions["sessions"][0]["view"];
    assert_eq!((&view["rid"], &view["width"]), (&"m".into(), &640.into()), "{sessions}");
    assert!(view["estimate_bps"].as_u64().is_some_and(|bps| bps > 100_000), "{sessions}");
    let mut flv = Viewer::watch(app.addresses().http, "live/x").await;
    until_flv_is(&mut flv, 2).await;
}

#[tokio::test]
async fn offers_with_too_many_strange_or_equal_layers_are_answered_with_three_at_most() {
    let app = serve(|_| {}).await;
    let rids: Vec<String> = (0..40).map(|n| format!("r{n}")).collect();
    let offer =
        Offer::in_layers(app.addresses().rtc, &rids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let bomb = offer.sdp;
    let post = async |path: &str, sdp: &str| {
        http::send(app.addresses().http, "POST", &format!("/live/{path}/whip"), &[SDP], sdp.as_bytes()).await
    };
    let answer = post("bomb", &bomb).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert!(answer.text().contains("a=simulcast:recv r0;r1;r2\r\n"), "{}", answer.text());
    assert_eq!(answer.text().matches("a=rid:").count(), 3);
    for (n, (from, to)) in [
        ("a=rid:r1 send", "a=rid:r0 send"),
        ("a=rid:r0 send", "a=rid: send"),
        ("a=simulcast:send r0;", "a=simulcast:send ;;;~;,r0;"),
        ("a=simulcast:send ", "a=simulcast:send r1;r1;r1;r1 recv "),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = post(&format!("n{n}"), &bomb.replace(from, to)).await;
        assert!(matches!(answer.status, 201 | 400 | 406), "{} {}", answer.status, answer.text());
        assert!(answer.text().matches("a=rid:").count() <= 3, "{}", answer.text());
    }
}
