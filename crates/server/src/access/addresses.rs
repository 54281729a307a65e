//! Ready-made addresses of one broadcast, signed with the keys that its app needs.

use std::fmt::Write as _;

use media::Path;

use super::keys::{Keys, Kind};
use super::rules::kind;
use super::signed::{Subject, auth, tx_secret, tx_time};
use crate::sessions::Action;

/// How an encoder of a person's own makes what every viewer can play.
const ENCODE: &str = "-c:v libx264 -preset veryfast -tune zerolatency -g 60 -c:a aac";

/// Where clients reach the server.
#[derive(Clone, Debug)]
pub struct Base {
    /// `http://host:port` or `https://host`.
    pub http: String,
    /// `rtmp://host`.
    pub rtmp: String,
    /// `rtmps://host`, where it listens.
    pub rtmps: Option<String>,
}

/// One address in the two fields of a streaming program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obs {
    /// `rtmp://host/app`
    pub server: String,
    /// The stream and its signature.
    pub key: String,
}

/// Where to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// RTMP.
    pub rtmp: Obs,
    /// RTMPS, where the server listens for it.
    pub rtmps: Option<Obs>,
    /// WHIP.
    pub whip: String,
    /// A whole command.
    pub ffmpeg: String,
}

/// Where to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Play {
    /// HTTP-FLV.
    pub flv: String,
    /// FLV over WebSocket.
    pub ws_flv: String,
    /// HLS.
    pub hls: String,
    /// RTMP.
    pub rtmp: String,
    /// WHEP.
    pub whep: String,
    /// The player's page. Its signature stands behind a `#`, which browsers keep to themselves: no server, log or other
    /// page gets it with the address.
    pub page: String,
}

/// What signs addresses.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    /// The keys of the server.
    pub keys: &'a Keys,
    /// Until when, in seconds since 1970.
    pub expiry: u64,
}

impl Signer<'_> {
    /// The token for this action and path; `None` where no key is for it.
    pub fn token(&self, action: Action, path: &Path) -> Option<String> {
        let mut keys = self.keys.of(kind(action)).filter(|key| key.is_for(path.app()));
        keys.next().map(|key| auth(key.current(), Subject { action, path }, self.expiry))
    }

    /// The same in the older form: `txSecret` and `txTime`, as a query.
    pub fn tx(&self, action: Action, path: &Path) -> Option<String> {
        let kind: Kind = kind(action);
        let key = self.keys.of(kind).find(|key| key.is_for(path.app()))?;
        let time = tx_time(self.expiry);
        let secret = tx_secret(key.current().expose(), path.stream(), &time);
        Some(format!("txSecret={secret}&txTime={time}"))
    }
}

impl Base {
    /// Addresses to publish at; open ones without a token.
    pub fn publish(&self, path: &Path, token: Option<&str>) -> Publish {
        let query = query(token);
        let (app, stream) = (encoded(path.app()), encoded(path.stream()));
        let obs = |server: &str| Obs { server: format!("{server}/{app}"), key: format!("{stream}{query}") };
        let rtmp = obs(&self.rtmp);
        // Quoted for a shell; an encoded path and a token hold no quotes.
        let ffmpeg = format!("ffmpeg -re -i FILE {ENCODE} -f flv '{}/{}'", rtmp.server, rtmp.key);
        Publish {
            ffmpeg,
            rtmps: self.rtmps.as_deref().map(obs),
            whip: format!("{}/{app}/{stream}/whip{query}", self.http),
            rtmp,
        }
    }

    /// Addresses to watch at; open ones without a token.
    pub fn play(&self, path: &Path, token: Option<&str>) -> Play {
        let query = query(token);
        let (http, path) = (&self.http, encoded(path.as_str()));
        let ws = http.replacen("http", "ws", 1);
        let fragment = token.map(|token| format!("#auth={token}")).unwrap_or_default();
        Play {
            flv: format!("{http}/{path}.flv{query}"),
            ws_flv: format!("{ws}/{path}.flv{query}"),
            hls: format!("{http}/{path}.m3u8{query}"),
            rtmp: format!("{}/{path}{query}", self.rtmp),
            whep: format!("{http}/{path}/whep{query}"),
            page: format!("{http}/play/{path}{fragment}"),
        }
    }
}

fn query(token: Option<&str>) -> String {
    token.map(|token| format!("?auth={token}")).unwrap_or_default()
}

/// A path as it stands in an address (RFC 3986 §3.3).
fn encoded(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                text.push(byte.into())
            }
            _ => write!(text, "%{byte:02X}").expect("a string takes everything"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Base {
        Base { http: "https://a.example".into(), rtmp: "rtmp://a.example".into(), rtmps: None }
    }

    #[test]
    fn every_address_brings_the_token_and_the_page_keeps_it_to_the_browser() {
        let path = Path::new("live/a b'c").unwrap();
        let publish = base().publish(&path, Some("v1.x.y"));
        let key = Obs { server: "rtmp://a.example/live".into(), key: "a%20b%27c?auth=v1.x.y".into() };
        assert_eq!((publish.rtmp, publish.rtmps), (key, None));
        assert_eq!(publish.whip, "https://a.example/live/a%20b%27c/whip?auth=v1.x.y");
        assert!(publish.ffmpeg.ends_with("-f flv 'rtmp://a.example/live/a%20b%27c?auth=v1.x.y'"));
        let play = base().play(&path, Some("v1.x.y"));
        assert_eq!(play.ws_flv, "wss://a.example/live/a%20b%27c.flv?auth=v1.x.y");
        assert_eq!(play.hls, "https://a.example/live/a%20b%27c.m3u8?auth=v1.x.y");
        assert_eq!(play.page, "https://a.example/play/live/a%20b%27c#auth=v1.x.y");
        assert_eq!(base().play(&path, None).page, "https://a.example/play/live/a%20b%27c");
    }

    #[test]
    fn a_path_is_signed_by_a_key_that_is_for_its_app() {
        let keys = Keys::generate(1).0;
        let signer = Signer { keys: &keys, expiry: 0x6AAA_BBBB };
        let path = Path::new("live/a").unwrap();
        assert_ne!(signer.token(Action::Play, &path), signer.token(Action::Publish, &path));
        assert!(signer.token(Action::Play, &path).unwrap().starts_with("v1.6aaabbbb."));
        assert!(signer.tx(Action::Play, &path).unwrap().ends_with("&txTime=6AAABBBB"));
        let none = Keys::default();
        assert_eq!(Signer { keys: &none, expiry: 1 }.token(Action::Play, &path), None);
    }
}
