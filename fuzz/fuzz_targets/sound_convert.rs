//! Any bytes as packets of sound of any codec and stamp: converted, concealed or refused, never a panic, and stamps
//! that rise.
#![no_main]

use av::sound::{Channels, Converter, Target};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use media::codec::{Codec, aac, opus};
use media::{Frame, Span, Timestamp};

const AAC: Target = Target::Aac { bitrate_bps: 96_000 };
const OPUS: Target = Target::Opus { channels: Channels::Stereo, bitrate_bps: 64_000 };

/// The source: fixed parameters, or for the last kinds whatever the input says.
fn source(kind: u8, config: &Bytes) -> Option<Codec> {
    let aac = |config: &Bytes| aac::Params::from_config(config).ok().map(Codec::Aac);
    match kind % 6 {
        0 => Some(Codec::Opus(opus::Params::simple(2))),
        1 => aac(&Bytes::from_static(&[0x11, 0x90])),
        2 => aac(&Bytes::from_static(&[0x2B, 0x11, 0x88, 0x00])),
        3 => aac(&Bytes::from_static(&[0x11, 0xB0])),
        4 => aac(config),
        _ => opus::Params::from_dops(config).ok().map(Codec::Opus),
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&[kind, to_aac, config_len], data)) = data.split_first_chunk::<3>() else { return };
    let data = Bytes::copy_from_slice(data);
    let config = data.slice(..data.len().min(config_len.into()));
    let mut rest = data.slice(config.len()..);
    let Some(codec) = source(kind, &config) else { return };
    let target = if to_aac & 1 == 1 { AAC } else { OPUS };
    let Ok(mut converter) = Converter::new(&codec, target) else { return };
    let _ = av::silence(&codec);
    let mut dts = Timestamp::ZERO;
    let mut out = Vec::new();
    while rest.len() >= 3 {
        let head = rest.split_to(3);
        dts += Span::from_millis(i64::from(i8::from_be_bytes([head[0]])) * 10);
        let len = usize::from(u16::from_be_bytes([head[1], head[2]])) % 2_048;
        let payload = rest.split_to(len.min(rest.len()));
        let frame = Frame { dts, cts: Span::ZERO, sync: true, payload };
        if converter.handle_frame(&frame, &mut out).is_err() {
            break;
        }
    }
    assert!(out.windows(2).all(|pair| pair[0].dts < pair[1].dts));
});
