//! What pages tell of what they saw and heard (`page.js`): times are milliseconds since the epoch.

use anyhow::Context;
use serde::Deserialize;

/// All of a page.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Told {
    /// When a picture was shown, how old it was then in milliseconds if that can be read, and how many were shown since the
    /// one before it.
    pub(super) pictures: Vec<(f64, Option<f64>, u32)>,
    /// What the browser counts.
    pub(super) samples: Vec<Sample>,
    /// 16-bit samples, in base64.
    pub(super) heard: String,
    /// When the first of them was heard.
    pub(super) heard_at: Option<f64>,
    /// How often a connection was made anew.
    pub(super) again: u32,
    /// What the player played by.
    pub(super) used: Option<String>,
}

/// What a browser counts, at one time.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sample {
    pub(super) at: f64,
    /// Which connection of the page: counts begin anew with each.
    pub(super) peer: u32,
    pub(super) video: Option<Media>,
    pub(super) audio: Option<Media>,
}

/// Of a track (W3C webrtc-stats).
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Media {
    pub(super) bytes_received: f64,
    pub(super) concealed_samples: f64,
    pub(super) total_samples_received: f64,
}

impl Told {
    /// What was heard, from -1 to 1.
    pub(super) fn sound(&self) -> anyhow::Result<Vec<f64>> {
        let bytes = decode(&self.heard).context("what was heard is not base64")?;
        let samples = bytes.as_chunks::<2>().0.iter().map(|two| f64::from(i16::from_le_bytes(*two)));
        Ok(samples.map(|sample| sample / 32_768.0).collect())
    }
}

/// RFC 4648 §4, with padding.
fn decode(text: &str) -> Option<Vec<u8>> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let text = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for four in text.chunks(4) {
        let mut bits = 0_u32;
        for byte in four {
            bits = bits << 6 | u32::from(value(*byte)?);
        }
        bits <<= 6 * (4 - four.len());
        bytes.extend_from_slice(&bits.to_be_bytes()[1..four.len()]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_tells_is_read() {
        let told = r#"{"pictures":[[1700.5,80.1,1],[1733.5,null,2]],"heard":"AAD/fwCA","heardAt":1600,"again":1,
            "used":"whep","drawn":9,
            "samples":[{"at":5,"peer":0,"pair":{"x":1},"audio":{"bytesReceived":7,"concealedSamples":3,"jitter":2}}]}"#;
        let told: Told = serde_json::from_str(told).unwrap();
        assert_eq!(told.pictures, [(1_700.5, Some(80.1), 1), (1_733.5, None, 2)]);
        assert_eq!(told.sound().unwrap(), [0.0, 32_767.0 / 32_768.0, -1.0]);
        assert_eq!(told.samples[0].audio.unwrap().concealed_samples, 3.0);
        assert!(told.samples[0].video.is_none());
    }

    #[test]
    fn base64_is_read_at_any_length() {
        let all = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (plain, text) in all {
            assert_eq!(decode(text).as_deref(), Some(plain.as_bytes()));
        }
        assert_eq!(decode("Zm9*"), None);
    }
}
