//! How events are written: our own format, and the one of WeChat's live streaming. The types here are the interface.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::{HeaderName, HeaderValue, header};
use bytes::Bytes;
use serde::Serialize;

use super::event::{Event, InRoom, Kind, Moved};
use super::queue::Delivery;
use super::sign;
use crate::config::{self, Secret, Wechat};
use crate::time::rfc3339;

/// How long a signature of the WeChat-style format lasts.
const WECHAT_SIGNATURE_S: u64 = 600;

/// What every body of this server says about itself.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// Tells this run of the server from others: names of sessions begin anew with each.
    pub(super) run: u64,
    /// An address of this server.
    pub(super) node: IpAddr,
}

/// Header lines and body of one attempt.
pub(super) type Written = (Vec<(HeaderName, HeaderValue)>, Bytes);

#[derive(Serialize)]
struct Openmic<'a> {
    id: &'a str,
    event: &'static str,
    /// RFC 3339 in UTC.
    at: String,
    run: u64,
    path: &'a str,
    app: &'a str,
    stream: &'a str,
    #[serde(flatten)]
    who: Option<Who<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    viewers: Option<u64>,
    #[serde(flatten)]
    moved: Option<Over>,
    #[serde(flatten)]
    room: Option<&'a InRoom>,
}

#[derive(Serialize)]
struct Who<'a> {
    session: u64,
    protocol: &'static str,
    address: Option<IpAddr>,
    agent: &'a str,
    query: &'a str,
}

#[derive(Serialize)]
struct Over {
    bytes: u64,
    duration_ms: u128,
    kicked: bool,
}

/// The openmic format. The body is the same at each attempt; the signature's time is that of the attempt.
pub(super) fn openmic(origin: &Origin, delivery: &Delivery, secrets: &[Secret], now: SystemTime) -> Written {
    let body = openmic_json(origin, delivery);
    let signature = sign::openmic(secrets, unix_s(now), &body);
    let ascii = |text: &str| HeaderValue::from_str(text).expect("hexadecimal digits and names of ours");
    let headers = vec![
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (HeaderName::from_static("openmic-signature"), ascii(&signature)),
        (HeaderName::from_static("openmic-delivery"), ascii(&delivery.id)),
        (HeaderName::from_static("openmic-event"), ascii(delivery.event.kind.name())),
    ];
    (headers, body)
}

/// The body of the openmic format, which is also what dead letters keep.
pub(super) fn openmic_json(origin: &Origin, delivery: &Delivery) -> Bytes {
    let event = &delivery.event;
    let body = Openmic {
        id: &delivery.id,
        event: event.kind.name(),
        at: rfc3339(event.at),
        run: origin.run,
        path: event.path.as_str(),
        app: event.path.app(),
        stream: event.path.stream(),
        who: event.who.as_ref().map(|who| Who {
            session: who.session.0,
            protocol: who.protocol.name(),
            address: who.address,
            agent: &who.agent,
            query: &who.query,
        }),
        viewers: event.viewers,
        moved: event.moved.map(|Moved { bytes, duration, was_kicked }| Over {
            bytes,
            duration_ms: duration.as_millis(),
            kicked: was_kicked,
        }),
        room: event.room.as_deref(),
    };
    serde_json::to_vec(&body).expect("texts and numbers are always JSON").into()
}

/// The contract's fields, which have one order in the documents of that cloud and none in JSON.
#[derive(Serialize)]
struct Callback<'a> {
    event_type: u8,
    event_time: u64,
    errcode: i32,
    errmsg: &'static str,
    width: u32,
    height: u32,
    #[serde(flatten)]
    push: Push<'a>,
    t: u64,
    sign: String,
}

#[derive(Serialize)]
struct Push<'a> {
    appid: u64,
    app: &'a str,
    appname: &'a str,
    stream_id: &'a str,
    channel_id: &'a str,
    stream_param: &'a str,
    sequence: String,
    node: &'a str,
    user_ip: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    push_duration: Option<String>,
}

/// The WeChat-style format of a publisher that comes (1) or goes (0). A test event says that one comes.
///
/// Start and end of one push have the same `sequence`.
pub(super) fn wechat(
    origin: &Origin,
    account: &Wechat,
    event: &Event,
    (secret, now): (&Secret, SystemTime),
) -> Written {
    let t = unix_s(now) + WECHAT_SIGNATURE_S;
    let (width, height) = event.resolution.unwrap_or_default();
    let node = origin.node.to_string();
    let who = event.who.as_ref();
    let push = Push {
        appid: account.appid,
        app: if account.app.is_empty() { &node } else { &account.app },
        appname: event.path.app(),
        stream_id: event.path.stream(),
        channel_id: event.path.stream(),
        stream_param: who.map_or("", |who| &who.query),
        sequence: format!("{}{:09}", origin.run, who.map_or(0, |who| who.session.0)),
        node: &node,
        user_ip: who.and_then(|who| who.address).map(|address| address.to_string()).unwrap_or_default(),
        push_duration: event.moved.map(|moved| moved.duration.as_millis().to_string()),
    };
    let body = Callback {
        event_type: match event.kind {
            Kind::Of(config::Event::Publish | config::Event::Play) | Kind::Test => 1,
            // Of all the others such a hook is told of the first alone: `Config::check` sees to it.
            Kind::Of(
                config::Event::Unpublish
                | config::Event::Stop
                | config::Event::End
                | config::Event::Join
                | config::Event::Leave
                | config::Event::StageUp
                | config::Event::StageDown
                | config::Event::HandUp
                | config::Event::RoomEnd
                | config::Event::Chat,
            ) => 0,
        },
        event_time: unix_s(event.at),
        errcode: 0,
        errmsg: match event.moved {
            Some(Moved { was_kicked: true, .. }) => "closed by the server",
            Some(_) | None => "ok",
        },
        width,
        height,
        push,
        t,
        sign: sign::wechat(secret, t),
    };
    let body = serde_json::to_vec(&body).expect("texts and numbers are always JSON");
    (vec![(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body.into())
}

pub(super) fn unix_s(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use media::Path;

    use super::*;
    use crate::audience::Protocol;
    use crate::hooks::event;
    use crate::sessions::SessionId;

    const ORIGIN: Origin = Origin { run: 1_700_000_000, node: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST) };

    fn event(kind: config::Event) -> Event {
        let who = event::Who {
            session: SessionId(42),
            protocol: Protocol::Rtmp,
            address: Some("192.0.2.7".parse().unwrap()),
            agent: "FMLE/3.0".into(),
            query: "user=7".into(),
        };
        let is_over = matches!(kind, config::Event::Unpublish);
        Event {
            kind: Kind::Of(kind),
            at: UNIX_EPOCH + Duration::from_millis(1_700_000_001_250),
            path: Path::new("live/a").unwrap(),
            who: Some(who),
            moved: is_over.then_some(Moved {
                bytes: 9,
                duration: Duration::from_millis(52),
                was_kicked: false,
            }),
            viewers: Some(3),
            resolution: Some((640, 360)),
            room: None,
        }
    }

    #[test]
    fn our_own_body_says_who_did_what_and_is_signed() {
        let delivery = Delivery { id: "d1".into(), event: Arc::new(event(config::Event::Unpublish)) };
        let secret = [Secret::new("0123456789abcdef")];
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_002);
        let (headers, body) = openmic(&ORIGIN, &delivery, &secret, now);
        let owed = "{\"id\":\"d1\",\"event\":\"unpublish\",\"at\":\"2023-11-14T22:13:21.250Z\",\"run\":1700000000,\
            \"path\":\"live/a\",\"app\":\"live\",\"stream\":\"a\",\"session\":42,\"protocol\":\"rtmp\",\
            \"address\":\"192.0.2.7\",\"agent\":\"FMLE/3.0\",\"query\":\"user=7\",\"viewers\":3,\"bytes\":9,\
            \"duration_ms\":52,\"kicked\":false}";
        assert_eq!(body, owed);
        let signature = sign::openmic(&secret, 1_700_000_002, owed.as_bytes());
        assert!(headers.iter().any(|(name, value)| name == "openmic-signature" && *value == signature));
        assert!(headers.iter().any(|(name, value)| name == "openmic-delivery" && value == "d1"));
    }

    #[test]
    fn the_wechat_body_has_the_fields_of_the_contract() {
        let account = Wechat { appid: 1_252_000_000, app: "push.example.com".into() };
        let secret = Secret::new("5d41402abc4b2a76b9719d911017c592");
        let now = UNIX_EPOCH + Duration::from_secs(1_545_030_273);
        let write = |kind| {
            let (_, body) = wechat(&ORIGIN, &account, &event(kind), (&secret, now));
            String::from_utf8(body.to_vec()).unwrap()
        };
        let sign = sign::wechat(&secret, 1_545_030_873);
        let owed = format!(
            "{{\"event_type\":1,\"event_time\":1700000001,\"errcode\":0,\"errmsg\":\"ok\",\"width\":640,\
             \"height\":360,\"appid\":1252000000,\"app\":\"push.example.com\",\"appname\":\"live\",\
             \"stream_id\":\"a\",\"channel_id\":\"a\",\"stream_param\":\"user=7\",\
             \"sequence\":\"1700000000000000042\",\"node\":\"127.0.0.1\",\"user_ip\":\"192.0.2.7\",\
             \"t\":1545030873,\"sign\":\"{sign}\"}}"
        );
        assert_eq!(write(config::Event::Publish), owed);
        let end: serde_json::Value = serde_json::from_str(&write(config::Event::Unpublish)).unwrap();
        assert_eq!((&end["event_type"], &end["push_duration"]), (&0.into(), &"52".into()));
        assert_eq!(end["sequence"], "1700000000000000042", "the same as at the start");
    }
}
