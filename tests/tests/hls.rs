//! HLS end to end: what a player finds from the first playlist to the end of a broadcast.

use std::net::SocketAddr;
use std::time::Duration;

use e2e::http::{Answer, get, request};
use e2e::rtmp::{PATIENCE, Peer, tags};
use server::{App, Config};
use wire::flv::TagKind;
use wire::flv::file::Tag;

const RECORDING: &[u8] = include_bytes!("../fixtures/h264_aac.flv");
const OTHER_RECORDING: &[u8] = include_bytes!("../fixtures/h264_bframes_aac.flv");
const LOOP_MS: u32 = 4_000;

async fn serve(change: impl FnOnce(&mut Config)) -> App {
    e2e::healthy::serve(|config| {
        config.hls.segment_min = Duration::from_millis(500);
        config.hls.segment_max = Duration::from_secs(2);
        config.hls.part = Duration::from_millis(200);
        change(config);
    })
    .await
}

/// A publisher whose media clock the test turns: nothing here waits for real time.
struct Looped {
    peer: Peer,
    tags: Vec<Tag>,
    next: usize,
    round: u32,
}

impl Looped {
    async fn publish(app: &App, recording: &[u8]) -> Self {
        let peer = Peer::publish(app.addresses().rtmp, "live/x").await;
        Self { peer, tags: tags(recording), next: 0, round: 0 }
    }

    /// Sends everything before this time of its media.
    async fn until(&mut self, ms: u32) {
        loop {
            let mut tag = self.tags[self.next].clone();
            tag.timestamp_ms += self.round * LOOP_MS;
            if tag.timestamp_ms >= ms {
                return;
            }
            if self.round == 0 || tag.kind != TagKind::Script {
                self.peer.send(&tag).await;
            }
            self.next = (self.next + 1) % self.tags.len();
            self.round += u32::from(self.next == 0);
        }
    }
}

/// A player's session.
struct Player {
    http: SocketAddr,
    /// `/live/x/hls/{session}/`
    base: String,
}

impl Player {
    async fn begin(http: SocketAddr) -> Self {
        let first = get(http, "/live/x.m3u8?wait_ms=10000").await;
        assert_eq!(first.status, 200, "{}", first.text());
        let media = first.text().lines().find_map(|line| line.strip_prefix("./")).expect("a variant");
        let (base, name) = media.rsplit_once('/').expect("an address within the session");
        assert_eq!(name, "media.m3u8");
        Self { http, base: format!("/live/{base}/") }
    }

    async fn fetch(&self, name: &str) -> Answer {
        get(self.http, &format!("{}{name}", self.base)).await
    }

    async fn playlist(&self, query: &str) -> String {
        let answer = self.fetch(&format!("media.m3u8{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text().to_owned()
    }

    /// The playlist when the packager has taken all that was sent: nothing has come to it for a while.
    async fn settled(&self) -> String {
        let mut text = self.playlist("").await;
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let again = self.playlist("").await;
            if again == text {
                return text;
            }
            text = again;
        }
    }

    /// Blocking reloads from the next part on until the playlist satisfies `enough`.
    async fn playlist_with(&self, enough: impl Fn(&str) -> bool) -> String {
        let reload = async {
            let mut text = self.playlist("").await;
            while !enough(&text) {
                let (msn, part) = hinted(&text);
                text = self.playlist(&format!("?_HLS_msn={msn}&_HLS_part={part}")).await;
            }
            text
        };
        tokio::time::timeout(PATIENCE, reload).await.expect("the playlist gets there")
    }
}

/// What stands between `before` and the next quote or line end, wherever `before` does.
fn named<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    let end = |rest: &'a str| rest.split(['"', ',', '\n']).next().unwrap_or_default();
    text.split(before).skip(1).map(end).collect()
}

fn segments(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("seg-")).collect()
}

/// The part that the playlist promises next.
fn hinted(text: &str) -> (u64, u64) {
    let hint = named(text, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part-");
    let position = hint.first().and_then(|uri| uri.strip_suffix(".m4s")).expect("a preload hint");
    let (msn, part) = position.split_once('.').expect("segment and part");
    (msn.parse().expect("a number"), part.parse().expect("a number"))
}

/// The types of the boxes that stand one after the other (ISO/IEC 14496-12 §4.2).
fn boxes(mut bytes: &[u8]) -> Vec<String> {
    let mut types = Vec::new();
    while let [a, b, c, d, name @ ..] = bytes {
        types.push(String::from_utf8_lossy(&name[..4]).into_owned());
        bytes = &bytes[u32::from_be_bytes([*a, *b, *c, *d]) as usize..];
    }
    types
}

async fn hls_viewers(http: SocketAddr) -> u64 {
    get(http, "/api/v1/broadcasts/live/x").await.json()["viewers"]["hls"].as_u64().expect("a count")
}

#[tokio::test]
async fn a_player_finds_playlist_init_segments_and_parts_and_every_byte_of_a_segment_is_in_its_parts() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    let mut publisher = Looped::publish(&app, RECORDING).await;
    publisher.until(9_000).await;
    let first = get(http, "/live/x.m3u8").await;
    assert_eq!(first.header("content-type"), Some("application/vnd.apple.mpegurl"));
    assert_eq!(first.header("cache-control"), Some("no-store"), "each player gets a session of its own");
    assert!(
        first.text().contains("CODECS=\"avc1.") && first.text().contains("mp4a.40.2"),
        "{}",
        first.text()
    );
    let player = Player::begin(http).await;
    publisher.until(14_000).await;
    let playlist = player.playlist_with(|text| segments(text).len() >= 2).await;
    assert!(playlist.contains("#EXT-X-TARGETDURATION:2\n") && playlist.contains("CAN-BLOCK-RELOAD=YES"));
    assert!(playlist.contains("#EXT-X-PROGRAM-DATE-TIME:20"), "{playlist}");
    let init = player.fetch(named(&playlist, "#EXT-X-MAP:URI=\"")[0]).await;
    assert_eq!(boxes(&init.body), ["ftyp", "moov"]);
    let name = segments(&playlist)[1];
    let segment = player.fetch(name).await;
    let stem = name.trim_start_matches("seg-").trim_end_matches(".m4s");
    let mut joined = Vec::new();
    for uri in named(&playlist, "URI=\"").into_iter().filter(|uri| uri.starts_with(&format!("part-{stem}.")))
    {
        let part = player.fetch(uri).await;
        assert_eq!(boxes(&part.body).iter().filter(|name| *name == "moof").count(), 1, "{uri}");
        joined.extend(part.body);
    }
    assert!(!joined.is_empty() && joined == segment.body, "{playlist}");
    for media in [&init, &segment] {
        assert_eq!(media.header("content-type"), Some("video/mp4"));
        assert_eq!(media.header("access-control-allow-origin"), Some("*"));
        assert!(media.header("cache-control").is_some_and(|how| how.contains("immutable")), "{}", media.head);
    }
    let head = request(http, "HEAD", &format!("{}{name}", player.base), &[]).await;
    assert_eq!(head.header("content-length"), segment.header("content-length"));
    let reload = player.fetch("media.m3u8").await;
    assert_eq!(reload.header("access-control-allow-origin"), Some("*"));
    assert_eq!(reload.header("cache-control"), Some("no-store"));
    assert_eq!(player.fetch("seg-999.m4s").await.status, 404);
    assert_eq!(player.fetch("part-999.0.m4s").await.status, 404);
}

#[tokio::test]
async fn a_reload_and_a_hinted_part_are_answered_when_the_part_is_there_and_not_before() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    let mut publisher = Looped::publish(&app, RECORDING).await;
    publisher.until(3_000).await;
    let player = Player::begin(http).await;
    let text = player.settled().await;
    let (msn, part) = hinted(&text);
    let base = player.base.clone();
    let reload = format!("{base}media.m3u8?_HLS_msn={msn}&_HLS_part={part}");
    let reload = tokio::spawn(async move { get(http, &reload).await });
    let hint = format!("{base}part-{msn}.{part}.m4s");
    let wanted = hint.clone();
    let hint = tokio::spawn(async move { get(http, &hint).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!reload.is_finished() && !hint.is_finished(), "answered before the part is there");
    publisher.until(5_000).await;
    let (reload, hint) = (reload.await.expect("no panic"), hint.await.expect("no panic"));
    let name = wanted.rsplit('/').next().expect("a name");
    assert!(reload.text().contains(&format!("URI=\"{name}\"")), "{name} in {}", reload.text());
    assert_eq!((hint.status, boxes(&hint.body).iter().any(|name| name == "mdat")), (200, true));
}

#[tokio::test]
async fn a_wish_for_a_delta_is_answered_whole_while_nothing_lies_behind_the_skip_boundary() {
    let app = serve(|_| {}).await;
    let mut publisher = Looped::publish(&app, RECORDING).await;
    publisher.until(9_000).await;
    let player = Player::begin(app.addresses().http).await;
    let full = player.settled().await;
    assert!(full.contains("CAN-SKIP-UNTIL=12.0"), "six target durations: {full}");
    // RFC 8216bis §6.2.5.1: less than the boundary is listed, so a delta would have nothing to leave out.
    assert_eq!(player.playlist("?_HLS_skip=YES").await, full);
    assert_eq!(player.fetch("media.m3u8?_HLS_skip=maybe").await.status, 400);
}

#[tokio::test]
async fn a_player_that_keeps_reloading_gets_delta_updates_that_complete_what_it_has() {
    let app = serve(|config| config.hls.segment_max = Duration::from_secs(1)).await;
    let mut publisher = Looped::publish(&app, RECORDING).await;
    publisher.until(2_000).await;
    let player = Player::begin(app.addresses().http).await;
    let mut full = player.settled().await;
    let mut second = 2;
    while !player.playlist("?_HLS_skip=YES").await.contains("#EXT-X-SKIP:") {
        assert!(second < 20, "eight seconds are listed, six are the boundary: {full}");
        second += 1;
        let (msn, _) = hinted(&full);
        publisher.until(second * 1_000).await;
        // Each second of media is taken before the next is sent, or the packager would skip some.
        full = player.playlist_with(|text| hinted(text).0 > msn).await;
    }
    let full = player.settled().await;
    let (msn, part) = hinted(&full);
    publisher.until(second * 1_000 + 400).await;
    let delta = player.playlist(&format!("?_HLS_msn={msn}&_HLS_part={part}&_HLS_skip=YES")).await;
    let whole = player.settled().await;
    let skipped: usize = named(&delta, "SKIPPED-SEGMENTS=")[0].parse().expect("a count");
    assert!(skipped > 0 && named(&delta, "MEDIA-SEQUENCE:") == named(&whole, "MEDIA-SEQUENCE:"));
    // RFC 8216bis §6.2.5.1: what was left out is what the player has already.
    let first = format!("seg-{}.m4s", named(&delta, "MEDIA-SEQUENCE:")[0]);
    let had = segments(&full).into_iter().skip_while(|name| *name != first).take(skipped);
    assert_eq!(had.chain(segments(&delta)).collect::<Vec<_>>(), segments(&whole));
    assert!(delta.len() < whole.len(), "it is shorter");
}

#[tokio::test]
async fn viewers_share_one_packager_and_are_counted_while_they_ask() {
    let app = serve(|config| config.hls.segment_max = Duration::from_secs(1)).await;
    let http = app.addresses().http;
    let mut publisher = Looped::publish(&app, RECORDING).await;
    publisher.until(6_000).await;
    let (one, other) = (Player::begin(http).await, Player::begin(http).await);
    assert_ne!(one.base, other.base, "a session each");
    let text = one.playlist_with(|text| !segments(text).is_empty()).await;
    let name = segments(&text)[0];
    other.playlist("").await;
    let (mine, theirs) = (one.fetch(name).await, other.fetch(name).await);
    assert_eq!((mine.status, mine.body == theirs.body), (200, true));
    assert_eq!(hls_viewers(http).await, 2);
    let gone = async {
        while hls_viewers(http).await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("silent sessions are no viewers");
}

#[tokio::test]
async fn packaging_stops_when_nobody_asks_and_begins_anew_for_the_next_player() {
    let short = |config: &mut Config| {
        config.hls.segment_max = Duration::from_secs(1);
        config.hls.idle = Duration::from_millis(200);
    };
    let app = serve(short).await;
    let http = app.addresses().http;
    let mut publisher = Looped::publish(&app, RECORDING).await;
    publisher.until(9_000).await;
    let first = Player::begin(http).await;
    let before = first.playlist_with(|text| segments(text).len() >= 2).await;
    let idle = app.context().tasks.len() - 1;
    let stopped = async {
        while app.context().tasks.len() > idle || hls_viewers(http).await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, stopped).await.expect("the packager's task ends");
    publisher.until(17_000).await;
    let second = Player::begin(http).await;
    assert_ne!(first.base, second.base, "old names would mean new bytes");
    let after = second.playlist_with(|text| !segments(text).is_empty()).await;
    assert_ne!(before, after);
    assert_eq!(second.fetch(segments(&after)[0]).await.status, 200);
}

#[tokio::test]
async fn another_publisher_brings_a_discontinuity_and_its_own_init_segment() {
    let app = serve(|_| {}).await;
    let mut first = Looped::publish(&app, RECORDING).await;
    first.until(6_000).await;
    let player = Player::begin(app.addresses().http).await;
    player.playlist_with(|text| !segments(text).is_empty()).await;
    let mut second = Looped::publish(&app, OTHER_RECORDING).await;
    second.until(4_000).await;
    let text = player.playlist_with(|text| text.contains("#EXT-X-DISCONTINUITY\n")).await;
    let (before, after) = text.split_once("#EXT-X-DISCONTINUITY\n").expect("just seen");
    let (old, new) = (named(before, "#EXT-X-MAP:URI=\""), named(after, "#EXT-X-MAP:URI=\""));
    assert!(!new.is_empty() && old.last() != new.first(), "{text}");
    let (old, new) = (player.fetch(old[0]).await, player.fetch(new[0]).await);
    assert!(old.status == 200 && new.status == 200 && old.body != new.body, "{text}");
}

#[tokio::test]
async fn the_end_is_in_the_playlist_and_segments_stay_for_players_that_are_late() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    let mut publisher = Looped::publish(&app, RECORDING).await;
    publisher.until(7_000).await;
    let player = Player::begin(http).await;
    let text = player.settled().await;
    let (msn, part) = hinted(&text);
    let far = format!("{}media.m3u8?_HLS_msn={}&_HLS_part=0", player.base, msn + 1);
    let waiting = tokio::spawn(async move { get(http, &far).await });
    publisher.peer.finish().await;
    let waiting = waiting.await.expect("no panic");
    assert!(waiting.text().ends_with("#EXT-X-ENDLIST\n"), "{} (hinted {msn}.{part})", waiting.text());
    let path = media::Path::new("live/x").expect("well-formed");
    let forgotten = async {
        while app.context().hub.get(&path).is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, forgotten).await.expect("the hub lets go of it");
    let text = player.playlist_with(|text| text.contains("#EXT-X-ENDLIST")).await;
    for name in segments(&text).into_iter().chain(named(&text, "#EXT-X-MAP:URI=\"")) {
        assert_eq!(player.fetch(name).await.status, 200, "{name}");
    }
    assert!(!text.contains("PRELOAD-HINT"), "nothing comes any more: {text}");
}
