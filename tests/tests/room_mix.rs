//! A stage's audience broadcast: everybody's voice and one picture, by every protocol, while somebody watches.

use std::sync::Arc;
use std::time::Duration;

use e2e::ear::{Ear, Watcher, db, heard_by_ffmpeg, tape, tone_tape};
use e2e::healthy::serve;
use e2e::http::get;
use e2e::live::{Live, Tape};
use e2e::recording::{Kind, Unit, frames_of};
use e2e::rtc::{Client, Options};
use e2e::rtmp::{PATIENCE, is_frame, tags};
use media::codec::opus;
use media::{Codec, Frame, Path, Span, Timestamp};
use room::track::all::Sending;
use room::{MemberId, Role, RoomId};
use server::App;
use server::rooms::audience::Audience;
use server::rooms::stage::{Performer, Stage};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use wire::flv::file::Tag;

const ALL: Sending = Sending { sound: true, picture: true, screen: false };
/// A tone of the tapes is at −21 dB; it is heard above this …
const HEARD_DB: f64 = -24.0;
/// … and not heard below this: 50 dB less.
const UNHEARD_DB: f64 = -71.0;
/// Tones and picture sizes by which members are told apart.
const TONES: [f64; 3] = [440.0, 1_000.0, 1_800.0];
const SIZES: [(u32, u32); 3] = [(320, 180), (160, 120), (192, 108)];

/// A room whose stage the test decides.
struct Room {
    app: App,
    stage: watch::Sender<Arc<Stage>>,
    audience: Audience,
}

impl Room {
    /// With members 1 to `count` on its stage.
    async fn open(count: u32) -> Self {
        let app = serve(|_| {}).await;
        let performer = |member: u32| Performer {
            member: MemberId(member),
            role: Role::Guest,
            path: Path::new(&format!("hall/r/{member}")).expect("well-formed"),
            sending: ALL,
        };
        let stage = Stage { performers: (1..=count).map(performer).collect(), focus: None };
        let (stage, watched) = watch::channel(Arc::new(stage));
        let id = RoomId::new("r").expect("a name");
        let audience = Audience::start(Arc::clone(app.context()), id, "hall", watched);
        Self { app, stage, audience }
    }

    fn change(&self, change: impl FnOnce(&mut Stage)) {
        self.stage.send_modify(|stage| change(Arc::make_mut(stage)));
    }

    /// Member `member` publishes by RTMP: four seconds again and again.
    async fn publish(&self, member: u32, tags: Vec<Tag>) -> Live {
        let tape = Tape { tags, tracks: 2, again: is_frame };
        Live::publish_at(&self.app, &format!("hall/r/{member}"), tape).await
    }

    /// The three members publish: the first two by RTMP, the third by WHIP.
    async fn publish_all(&self) -> (Vec<Live>, JoinSet<()>) {
        let mut lives = Vec::new();
        for (index, hz) in [440, 1_000].into_iter().enumerate() {
            let tags = tone_tape(&size(index), hz, 4);
            lives.push(self.publish(index as u32 + 1, tags).await);
        }
        let units = units(&tone_tape(&size(2), 1_800, 40));
        let client = Client::publish(&self.app, "hall/r/3").await;
        let mut sending = JoinSet::new();
        sending.spawn(async move { client.send_live(&units).await });
        (lives, sending)
    }

    /// What the server says of a broadcast of the room's.
    async fn conversions(&self, path: &str) -> Vec<String> {
        let told = get(self.app.addresses().http, &format!("/api/v1/broadcasts/{path}")).await.json();
        let conversions = told["conversions"].as_array().cloned().unwrap_or_default();
        conversions.iter().filter_map(|one| one["what"].as_str().map(str::to_owned)).collect()
    }
}

fn size(index: usize) -> String {
    let (width, height) = SIZES[index];
    format!("{width}x{height}")
}

/// A tape as a browser would send it.
fn units(tags: &[Tag]) -> Vec<Unit> {
    let pictures = frames_of(tags, Kind::Video);
    let mut sound: Vec<(Codec, Frame)> = Vec::new();
    let recorded = frames_of(tags, Kind::Audio);
    let target = av::sound::Target::Opus { channels: av::sound::Channels::Stereo, bitrate_bps: 96_000 };
    let mut converter = av::sound::Converter::new(&recorded[0].0, target).expect("AAC");
    let mut made = Vec::new();
    recorded.iter().for_each(|(_, frame)| converter.handle_frame(frame, &mut made).expect("it converts"));
    sound.extend(made.into_iter().map(|frame| (converter.codec().clone(), frame)));
    let mut units = Unit::cut(pictures, Kind::Video);
    units.extend(Unit::cut(sound, Kind::Audio));
    units.sort_by_key(|unit| unit.frame.dts);
    units
}

fn levels(heard: &[f32]) -> [f64; 3] {
    TONES.map(|hz| db(heard, hz))
}

#[track_caller]
fn assert_heard(who: &str, heard: &[f32], wanted: [bool; 3]) {
    let levels = levels(heard);
    for (level, wanted) in levels.iter().zip(wanted) {
        let is = if wanted { *level > HEARD_DB } else { *level < UNHEARD_DB };
        assert!(is, "{who}: {levels:?} of {wanted:?}");
    }
}

#[tokio::test]
async fn an_audience_hears_everybody_by_every_protocol() {
    let room = Room::open(3).await;
    let _publishing = room.publish_all().await;
    let mut flv = Watcher::join(&room.app, "/hall/r.flv").await;
    let whep = listen_by_whep(&room.app);
    let hls = format!("http://{}/hall/r.m3u8", room.app.addresses().http);
    let rtmp = format!("rtmp://{}/hall/r", room.app.addresses().rtmp);
    let (heard, by_hls, by_rtmp, ()) =
        tokio::join!(whep, heard_by_ffmpeg(&hls, 3), heard_by_ffmpeg(&rtmp, 3), flv.watch(4_000));
    assert_heard("FLV", flv.ear.last(2_000), [true; 3]);
    assert_heard("WHEP", &heard[48_000..], [true; 3]);
    assert_heard("HLS", &by_hls[48_000..], [true; 3]);
    assert_heard("RTMP", &by_rtmp[48_000..], [true; 3]);
    assert!(flv.shown.len() > 80 && flv.shown[0].is_key, "{}", flv.shown.len());
}

/// Three seconds of what a WHEP viewer hears; pictures come, too.
async fn listen_by_whep(app: &App) -> Vec<f32> {
    let mut viewer = Client::connect(app, "hall/r", Options::WATCH).await;
    let (mut ear, mut pictures, mut first) = (Ear::default(), 0, None);
    let codec = Codec::Opus(opus::Params::simple(2));
    while ear.heard.len() < 3 * 48_000 {
        let packet = viewer.packet().await.expect("the session goes on");
        match packet.kind {
            Kind::Video => pictures += usize::from(packet.marker),
            Kind::Audio => {
                let ticks = packet.time - *first.get_or_insert(packet.time);
                let dts = Timestamp::ZERO + Span::from_ticks(ticks as i64, 48_000);
                let payload = packet.payload.to_vec().into();
                ear.hear(&codec, &Frame { dts, cts: Span::ZERO, sync: true, payload });
            }
        }
    }
    assert!(pictures > 50, "{pictures} pictures");
    assert_eq!(viewer.resource.delete().await.status, 200);
    ear.heard
}

#[tokio::test]
async fn a_muted_member_is_not_heard_and_the_focus_changes_the_picture_at_a_keyframe() {
    let room = Room::open(3).await;
    let _publishing = room.publish_all().await;
    let mut watcher = Watcher::join(&room.app, "/hall/r.flv").await;
    room.change(|stage| stage.focus = Some(MemberId(1)));
    watcher.watch(3_000).await;
    assert_eq!(watcher.sizes().last(), Some(&SIZES[0]), "the host's choice");
    room.change(|stage| {
        stage.focus = None;
        stage.performers[0].sending.sound = false;
    });
    // Another speaks now: 1.5 s of that, and up to a second until the next keyframe.
    watcher.watch(4_000).await;
    assert_ne!(watcher.sizes().last(), Some(&SIZES[0]), "who speaks is followed");
    for focus in [1, 3, 2] {
        room.change(|stage| stage.focus = Some(MemberId(focus)));
        watcher.watch(2_500).await;
    }
    assert_heard("muted", watcher.ear.last(2_000), [false, true, true]);

    let sizes = watcher.sizes();
    assert!(sizes.ends_with(&[SIZES[0], SIZES[2], SIZES[1]]), "{sizes:?}");
    for pair in watcher.shown.windows(2) {
        let step = pair[1].at_ms - pair[0].at_ms;
        assert!((0..=1_500).contains(&step), "{pair:?}");
        assert!(pair[0].size == pair[1].size || pair[1].is_key, "{pair:?}");
    }
    let sounds = watcher.sounds.windows(2);
    assert!(sounds.clone().all(|pair| (20..=23).contains(&(pair[1] - pair[0]))), "{:?}", watcher.sounds);
    // What is in the stream side by side is of the same time.
    let (picture, sound) =
        (watcher.shown[watcher.shown.len() - 1].at_ms, watcher.sounds[watcher.sounds.len() - 1]);
    assert!((picture - sound).abs() < 150, "{picture} and {sound}");

    // Nobody's picture: the last one stays, and the sound goes on.
    room.change(|stage| stage.performers.iter_mut().for_each(|one| one.sending.picture = false));
    watcher.watch(2_500).await;
    assert_eq!(watcher.sizes().last(), Some(&SIZES[1]));
    assert_heard("without pictures", watcher.ear.last(1_000), [false, true, true]);
}

#[tokio::test]
async fn a_member_hears_and_sees_everybody_but_itself() {
    let room = Room::open(3).await;
    let _publishing = room.publish_all().await;
    let mut first = Watcher::join(&room.app, "/hall/r/1/others.flv").await;
    let mut second = Watcher::join(&room.app, "/hall/r/2/others.flv").await;
    tokio::join!(first.watch(4_000), second.watch(4_000));
    assert_heard("the first", first.ear.last(2_000), [false, true, true]);
    assert_heard("the second", second.ear.last(2_000), [true, false, true]);
    assert!(!first.sizes().contains(&SIZES[0]) && !second.sizes().contains(&SIZES[1]));
    assert!(first.shown.len() > 50 && second.shown.len() > 50);
    let missing = get(room.app.addresses().http, "/hall/r/3/others.flv").await;
    assert_eq!(missing.status, 404, "a browser gets everybody by itself");
}

#[tokio::test]
async fn a_room_costs_something_only_while_somebody_watches() {
    let room = Room::open(1).await;
    let _live = room.publish(1, tone_tape(&size(0), 440, 4)).await;
    let nothing = Vec::<String>::new();
    assert_eq!(room.conversions("hall/r").await, nothing);
    let mut watcher = Watcher::join(&room.app, "/hall/r.flv").await;
    watcher.watch(1_000).await;
    assert!(room.conversions("hall/r").await.iter().any(|what| what == "the sound of a room"));
    assert_eq!(room.conversions("hall/r/1/others").await, nothing, "nobody watches that");
    drop(watcher);
    let begin = Instant::now();
    while room.conversions("hall/r").await != nothing {
        assert!(begin.elapsed() < PATIENCE, "it goes on without an audience");
        sleep(Duration::from_millis(100)).await;
    }
    let mut again = Watcher::join(&room.app, "/hall/r.flv").await;
    again.watch(2_000).await;
    assert_heard("who comes later", again.ear.last(1_000), [true, false, false]);
    // Of what the first one saw nothing is left.
    let steps = again.shown.windows(2).map(|pair| pair[1].at_ms - pair[0].at_ms);
    assert!(steps.clone().all(|step| (0..500).contains(&step)), "{:?}", again.shown);
}

#[tokio::test]
async fn a_publisher_of_long_groups_is_seen_without_waiting_for_the_next() {
    let room = Room::open(2).await;
    let _first = room.publish(1, tone_tape(&size(0), 440, 4)).await;
    // A keyframe each five seconds, and RTMP cannot be asked for another.
    let _long = room.publish(2, tags(include_bytes!("../fixtures/long_gop.flv"))).await;
    let mut watcher = Watcher::join(&room.app, "/hall/r.flv").await;
    watcher.watch(1_500).await;
    room.change(|stage| stage.focus = Some(MemberId(2)));
    let before = watcher.shown.len();
    while watcher.sizes().last() == Some(&SIZES[0]) {
        watcher.watch(100).await;
    }
    let changed = watcher.shown.iter().position(|shown| shown.size != SIZES[0]).expect("it changed");
    assert!(watcher.shown[changed].is_key);
    let waited = watcher.shown[changed].at_ms - watcher.shown[before - 1].at_ms;
    assert!(waited < 2_500, "{waited} ms");
    watcher.watch(1_000).await;
    let steps = watcher.shown.windows(2).map(|pair| pair[1].at_ms - pair[0].at_ms);
    assert!(steps.clone().all(|step| (0..500).contains(&step)), "{:?}", watcher.shown);
}

#[tokio::test]
async fn pictures_of_another_codec_are_seen_as_h264() {
    let room = Room::open(2).await;
    let _plain = room.publish(1, tone_tape(&size(0), 440, 4)).await;
    let _vp9 = room.publish(2, tags(include_bytes!("../fixtures/vp9_opus.flv"))).await;
    let mut watcher = Watcher::join(&room.app, "/hall/r.flv").await;
    room.change(|stage| stage.focus = Some(MemberId(1)));
    watcher.watch(2_000).await;
    assert_eq!(watcher.sizes().last(), Some(&SIZES[0]));
    room.change(|stage| stage.focus = Some(MemberId(2)));
    let begin = Instant::now();
    while watcher.sizes().last() == Some(&SIZES[0]) {
        assert!(begin.elapsed() < PATIENCE, "never seen");
        watcher.watch(200).await;
    }
    let of_vp9 = watcher.shown.len();
    watcher.watch(1_500).await;
    assert!(watcher.shown.len() > of_vp9 + 20, "its pictures go on");
    assert!(watcher.shown.windows(2).all(|pair| pair[1].at_ms >= pair[0].at_ms));
}

#[tokio::test]
async fn sound_and_picture_are_in_step() {
    let room = Room::open(1).await;
    // A burst at each whole second, where each keyframe is, too.
    let bursts = "aevalsrc=0.5*sin(2*PI*1000*t)*lt(mod(t\\,1)\\,0.1):s=48000";
    let _live = room.publish(1, tape(&size(0), bursts, 4)).await;
    let mut watcher = Watcher::join(&room.app, "/hall/r.flv").await;
    watcher.watch(6_000).await;
    let from = watcher.ear.from.expect("it is heard").millis();
    let heard = &watcher.ear.heard;
    let mut found = 0;
    for at in 480..heard.len() {
        let is_quiet = heard[at - 480..at].iter().all(|sample| sample.abs() < 0.1);
        if is_quiet && heard[at].abs() >= 0.1 {
            let burst = from + at as i64 / 48;
            let keys = watcher.shown.iter().filter(|shown| shown.is_key && shown.at_ms > from + 1_000);
            if let Some(off) =
                keys.map(|key| burst - key.at_ms).filter(|off| off.abs() < 500).min_by_key(|off| off.abs())
            {
                assert!(off.abs() <= 60, "a burst is {off} ms from its picture");
                found += 1;
            }
        }
    }
    assert!(found >= 3, "{found} bursts");
}

#[tokio::test]
async fn viewers_come_to_an_end_with_the_room() {
    let room = Room::open(1).await;
    let _live = room.publish(1, tone_tape(&size(0), 440, 4)).await;
    let mut watcher = Watcher::join(&room.app, "/hall/r.flv").await;
    watcher.watch(1_000).await;
    let Room { app, stage, audience } = room;
    drop(audience);
    while watcher.take().await {}
    let path = Path::new("hall/r").expect("well-formed");
    assert!(app.context().hub.get(&path).is_none(), "the name is free");
    drop(stage);
}

#[tokio::test]
async fn an_empty_room_has_a_picture_and_sound_and_who_comes_later_is_seen_and_heard() {
    let room = Room::open(1).await;
    let mut watcher = Watcher::join(&room.app, "/hall/r.flv").await;
    watcher.watch(1_000).await;
    assert_eq!(watcher.sizes(), [(320, 180)], "an empty picture");
    assert!(watcher.ear.heard.iter().all(|sample| sample.abs() < 0.001), "and silence");
    let live = room.publish(1, tone_tape(&size(1), 1_000, 4)).await;
    watcher.watch(3_000).await;
    assert_eq!(watcher.sizes().last(), Some(&SIZES[1]));
    assert_heard("later", watcher.ear.last(1_000), [false, true, false]);
    drop(watcher);
    live.end().await;
    assert!(room.app.shutdown(PATIENCE).await, "every session ended by itself");
}
