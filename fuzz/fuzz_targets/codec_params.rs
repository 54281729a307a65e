//! Any bytes as codec parameters or payload of any codec: read or refused, never a panic, sizes within limits.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use media::codec::{Codec, Error, PICTURE_SIDE_MAX, aac, av1, h264, h265, nal, opus, vp8, vp9};

fn params(codec: u8, data: &Bytes) -> Result<Codec, Error> {
    Ok(match codec % 7 {
        0 => Codec::H264(h264::Params::from_config(data)?),
        1 => Codec::H265(h265::Params::from_config(data)?),
        2 => Codec::Av1(av1::Params::from_config(data)?),
        3 => Codec::Vp9(vp9::Params::from_config(data)?),
        4 => Codec::Aac(aac::Params::from_config(data)?),
        5 => Codec::Opus(opus::Params::from_config(data)?),
        _ => Codec::Opus(opus::Params::from_dops(data)?),
    })
}

fuzz_target!(|data: &[u8]| {
    let Some((&codec, data)) = data.split_first() else { return };
    let data = Bytes::copy_from_slice(data);
    if let Ok(codec) = params(codec, &data) {
        assert!(codec.rfc6381().is_some());
        if let Some((width, height)) = codec.resolution() {
            assert!(width <= PICTURE_SIDE_MAX && height <= PICTURE_SIDE_MAX);
        }
    }
    for length_bytes in 1..=4 {
        let Ok(payload) = nal::normalize("H.264", &data, length_bytes) else { continue };
        assert_eq!(nal::normalize("H.264", &payload, nal::LENGTH_BYTES).as_ref(), Ok(&payload));
        let _ = (h264::is_random_access(&payload), h265::is_random_access(&payload));
        let _ = (h264::user_data(&payload).count(), h265::user_data(&payload).count());
    }
    if let Ok(payload) = av1::normalize(&data) {
        assert_eq!(av1::normalize(&payload).as_ref(), Ok(&payload));
        let _ = (av1::is_keyframe(&payload), av1::Params::from_payload(&payload));
    }
    let _ = (h264::Sps::parse(&data), h265::Sps::parse(&data), vp9::Keyframe::parse(&data));
    let _ = vp8::Keyframe::parse(&data).map(|key| key.map(|key| vp8::Params::from_keyframe(&key)));
    let _ = (opus::packet_samples(&data), aac::access_units(&data).count());
});
