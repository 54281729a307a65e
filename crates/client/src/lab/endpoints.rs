//! Where a server takes a stream and gives it out, as addresses with `{stream}` for the stream's name.

use anyhow::Context;
use serde::Deserialize;

use super::{Input, Output};
use crate::http;
use crate::url::{Scheme, Url};

/// What stands for the stream's name.
const STREAM: &str = "{stream}";
/// Our own application, where a server's addresses are not given one by one.
const APP: &str = "live";
const RTMP_PORT: u16 = 1935;

/// Addresses by protocol; `None` where the server does not speak it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Publish by RTMP.
    pub publish_rtmp: Option<String>,
    /// Publish by WHIP.
    pub publish_whip: Option<String>,
    /// Play by RTMP.
    pub play_rtmp: Option<String>,
    /// Play by HTTP-FLV.
    pub play_flv: Option<String>,
    /// Play by WebSocket-FLV.
    pub play_ws: Option<String>,
    /// Play by HLS.
    pub play_hls: Option<String>,
    /// Play by WHEP.
    pub play_whep: Option<String>,
}

/// What an openmic server says of itself.
#[derive(Deserialize)]
struct About {
    rtmp_port: Option<u16>,
}

impl Endpoints {
    /// Of an openmic server at this HTTP address whose RTMP is at `rtmp`, `host:port`.
    pub fn of_openmic(http: &Url, rtmp: &str) -> Self {
        let s = if http.scheme.secure() { "s" } else { "" };
        let web = |scheme: &str, tail: &str| {
            Some(format!("{scheme}{s}://{}/{APP}/{STREAM}{tail}", http.authority()))
        };
        let rtmp = Some(format!("rtmp://{rtmp}/{APP}/{STREAM}"));
        Self {
            publish_rtmp: rtmp.clone(),
            publish_whip: web("http", "/whip"),
            play_rtmp: rtmp,
            play_flv: web("http", ".flv"),
            play_ws: web("ws", ".flv"),
            play_hls: web("http", ".m3u8"),
            play_whep: web("http", "/whep"),
        }
    }

    /// The same, its RTMP port asked of the server itself.
    ///
    /// # Errors
    /// When the server is not there, or not one of ours.
    pub async fn ask(http: &Url, insecure: bool) -> anyhow::Result<Self> {
        anyhow::ensure!(
            matches!(http.scheme, Scheme::Http | Scheme::Https),
            "{http}: a server is named by its http:// or https:// address"
        );
        let about = Url { path: "/api/v1/server".to_owned(), query: None, ..http.clone() };
        let body = http::get_all(&about, insecure).await.context("asking the server for its RTMP port")?;
        let about: About = serde_json::from_slice(&body)
            .with_context(|| format!("{about} is no openmic server; name its addresses one by one"))?;
        let port = about.rtmp_port.unwrap_or(RTMP_PORT);
        let host = Url { scheme: Scheme::Rtmp, port, ..http.clone() };
        Ok(Self::of_openmic(http, &host.authority()))
    }

    /// Those of `self`, and where there is none the other's.
    pub fn or(self, other: Self) -> Self {
        Self {
            publish_rtmp: self.publish_rtmp.or(other.publish_rtmp),
            publish_whip: self.publish_whip.or(other.publish_whip),
            play_rtmp: self.play_rtmp.or(other.play_rtmp),
            play_flv: self.play_flv.or(other.play_flv),
            play_ws: self.play_ws.or(other.play_ws),
            play_hls: self.play_hls.or(other.play_hls),
            play_whep: self.play_whep.or(other.play_whep),
        }
    }

    /// Where to publish a stream of this name.
    pub fn publish(&self, input: Input, stream: &str) -> anyhow::Result<Url> {
        let template = match input {
            Input::Rtmp => &self.publish_rtmp,
            Input::Whip => &self.publish_whip,
        };
        fill(template.as_deref(), stream).with_context(|| format!("publishing by {}", input.name()))
    }

    /// Where to watch it.
    pub fn play(&self, output: Output, stream: &str) -> anyhow::Result<Url> {
        let template = match output {
            Output::Rtmp => &self.play_rtmp,
            Output::Flv => &self.play_flv,
            Output::Ws => &self.play_ws,
            Output::Hls => &self.play_hls,
            Output::Whep => &self.play_whep,
        };
        fill(template.as_deref(), stream).with_context(|| format!("watching by {}", output.name()))
    }
}

/// A template without a place for the name is one stream's address.
fn fill(template: Option<&str>, stream: &str) -> anyhow::Result<Url> {
    let template = template.context("no address was given")?;
    Url::parse(&template.replace(STREAM, stream)).with_context(|| format!("{template:?} as address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_ours_is_known_by_two_addresses_and_single_ones_can_be_replaced() {
        let ours = Endpoints::of_openmic(&Url::parse("https://example.org").unwrap(), "example.org:1936");
        let own = Endpoints {
            play_flv: Some("http://cdn.example.org/{stream}.flv?key=1".into()),
            ..Endpoints::default()
        };
        let both = own.or(ours);
        let shown = |url: anyhow::Result<Url>| url.unwrap().to_string();
        assert_eq!(shown(both.publish(Input::Rtmp, "a")), "rtmp://example.org:1936/live/a");
        assert_eq!(shown(both.publish(Input::Whip, "a")), "https://example.org/live/a/whip");
        assert_eq!(shown(both.play(Output::Flv, "a")), "http://cdn.example.org/a.flv?key=1");
        assert_eq!(shown(both.play(Output::Ws, "a")), "wss://example.org/live/a.flv");
        assert_eq!(shown(both.play(Output::Hls, "a")), "https://example.org/live/a.m3u8");
    }

    #[test]
    fn what_was_not_given_is_named() {
        let why = Endpoints::default().play(Output::Whep, "a").unwrap_err();
        assert_eq!(format!("{why:#}"), "watching by whep: no address was given");
    }
}
