//! `connect` (§7.2.1.1) and what E-RTMP v2 adds to it.

use super::Config;
use crate::amf0::Value;
use crate::rtmp::command::{Status, code};
use crate::rtmp::limits::{FOURCCS_MAX, PEER_TEXT_BYTES_MAX};

/// A codec may be forwarded (E-RTMP `FourCcInfoMask`): we neither encode nor decode here.
const CAN_FORWARD: f64 = 4.0;

/// What a peer says about itself, each text cut to [`PEER_TEXT_BYTES_MAX`] bytes, each list to [`FOURCCS_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerInfo {
    /// Its software, such as `FMLE/3.0 (compatible; obs-studio/30)`.
    pub flash_ver: String,
    /// The address it connected to, without its query, which may hold a secret.
    pub tc_url: String,
    /// Bits of `audioCodecs` (§7.2.1.1); 0 if not sent.
    pub audio_codecs: u32,
    /// Bits of `videoCodecs` (§7.2.1.1); 0 if not sent.
    pub video_codecs: u32,
    /// E-RTMP `fourCcList`, or the names of its maps; `*` stands for all.
    pub fourccs: Vec<String>,
    /// E-RTMP `capsEx`.
    pub caps_ex: u32,
}

/// What the session keeps of `connect`.
#[derive(Debug)]
pub(super) struct Peer {
    /// As sent, cut to what no acceptable one exceeds.
    pub(super) app: String,
    pub(super) info: PeerInfo,
    /// Whether anything of E-RTMP was in it, and should be in the answer.
    enhanced: bool,
}

impl Peer {
    pub(super) fn parse(object: &Value) -> Peer {
        let text = |key| object.get(key).and_then(Value::as_str).unwrap_or_default();
        let number = |key| object.get(key).and_then(Value::as_f64).unwrap_or_default() as u32;
        let tc_url = text("tcUrl").split('?').next().unwrap_or_default();
        let info = PeerInfo {
            flash_ver: cut(text("flashVer")),
            tc_url: cut(tc_url),
            audio_codecs: number("audioCodecs"),
            video_codecs: number("videoCodecs"),
            fourccs: fourccs(object),
            caps_ex: number("capsEx"),
        };
        let enhanced = ["fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap", "capsEx"]
            .iter()
            .any(|key| object.get(key).is_some());
        Peer { app: text("app").to_owned(), info, enhanced }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let texts = self.app.capacity() + self.info.flash_ver.capacity() + self.info.tc_url.capacity();
        let fourccs = self.info.fourccs.iter().map(|fourcc| fourcc.capacity() + size_of::<String>());
        size_of::<Peer>() + texts + fourccs.sum::<usize>()
    }
}

/// E-RTMP "Enhancing NetConnection connect Command": the list, and the maps that newer peers send instead.
fn fourccs(object: &Value) -> Vec<String> {
    let list = object.get("fourCcList").and_then(Value::as_array).unwrap_or_default();
    let maps = ["videoFourCcInfoMap", "audioFourCcInfoMap"];
    let keys =
        maps.iter().filter_map(|key| object.get(key)?.members()).flatten().map(|(name, _)| name.as_str());
    let mut fourccs = Vec::new();
    for fourcc in list.iter().filter_map(Value::as_str).chain(keys) {
        let known = fourccs.iter().any(|known| known == fourcc);
        if fourcc.len() <= 4 && !known && fourccs.len() < FOURCCS_MAX {
            fourccs.push(fourcc.to_owned());
        }
    }
    fourccs.shrink_to_fit();
    fourccs
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(PEER_TEXT_BYTES_MAX)].to_owned()
}

/// Properties and information of the `_result`. `objectEncoding` 0 keeps AMF3 peers to AMF0.
pub(super) fn answer(config: &Config, peer: &Peer) -> [Value; 2] {
    let properties = Value::object([
        ("fmsVer", "FMS/3,0,1,123".into()),
        ("capabilities", 31.0.into()),
        ("mode", 1.0.into()),
    ]);
    let mut information = Status::ok(code::CONNECT_SUCCESS, "connected").to_value();
    if let Value::Object(members) = &mut information {
        members.push(("objectEncoding".to_owned(), 0.0.into()));
        if peer.enhanced {
            members.extend(enhanced(config));
        }
    }
    [properties, information]
}

fn enhanced(config: &Config) -> [(String, Value); 4] {
    let (video, audio) = (&config.video_fourccs, &config.audio_fourccs);
    let all = video.iter().chain(audio).map(|fourcc| fourcc.as_str().into()).collect();
    let map = |fourccs: &[String]| {
        Value::Object(fourccs.iter().map(|fourcc| (fourcc.clone(), CAN_FORWARD.into())).collect())
    };
    [
        ("fourCcList".to_owned(), Value::StrictArray(all)),
        ("videoFourCcInfoMap".to_owned(), map(video)),
        ("audioFourCcInfoMap".to_owned(), map(audio)),
        ("capsEx".to_owned(), f64::from(config.caps_ex).into()),
    ]
}
