//! Packets that hold silence, to fill a track whose source is muted.

use bytes::Bytes;
use media::Codec;
use media::codec::bits::Reader;
use media::codec::{aac, g711, opus};

/// One 20 ms CELT frame of full band (RFC 6716 table 2) whose range coder says silence at once; the second differs in
/// the stereo bit.
const OPUS_MONO: &[u8] = &[0xF8, 0xFF, 0xFE];
const OPUS_STEREO: &[u8] = &[0xFC, 0xFF, 0xFE];

/// Element identifiers of ISO 14496-3 table 4.85.
const SCE: u32 = 0;
const CPE: u32 = 1;
const LFE: u32 = 3;
const END: u32 = 7;

/// A packet of silence that a decoder of `codec` takes at any point: one AAC frame, or 20 ms of Opus.
///
/// `None` for pictures and data, for AAC other than LC and HE, for AAC whose channels only a program config element
/// tells, and for Opus of several streams.
pub fn silence(codec: &Codec) -> Option<Bytes> {
    match codec {
        Codec::Aac(params) => aac_silence(params),
        Codec::Opus(params) => opus_silence(params),
        Codec::G711(params) => Some(g711_silence(*params)),
        Codec::H264(_) | Codec::H265(_) | Codec::Av1(_) | Codec::Vp8(_) | Codec::Vp9(_) | Codec::Data(_) => {
            None
        }
    }
}

/// 20 ms of the sample nearest to zero.
fn g711_silence(params: g711::Params) -> Bytes {
    let zero = match params.law {
        g711::Law::Mu => 0xFF,
        g711::Law::A => 0xD5,
    };
    vec![zero; g711::SAMPLE_RATE as usize / 50 * usize::from(params.channels)].into()
}

fn opus_silence(params: &opus::Params) -> Option<Bytes> {
    match (params.mapping_family, params.channels) {
        (0, 1) => Some(Bytes::from_static(OPUS_MONO)),
        (0, 2) => Some(Bytes::from_static(OPUS_STEREO)),
        _ => None,
    }
}

/// Written by hand and not by an encoder: a frame without spectrum is the same for every rate and frame length, and
/// an encoder would have to be found for each layout.
fn aac_silence(params: &aac::Params) -> Option<Bytes> {
    // LC, and HE whose core is LC; SBR without its payload continues in silence.
    if !matches!(params.object_type, 2 | 5 | 29) {
        return None;
    }
    let elements: &[u32] = match channel_configuration(&params.config)? {
        1 => &[SCE],
        2 => &[CPE],
        3 => &[SCE, CPE],
        4 => &[SCE, CPE, SCE],
        5 => &[SCE, CPE, CPE],
        6 => &[SCE, CPE, CPE, LFE],
        7 => &[SCE, CPE, CPE, CPE, LFE],
        _ => return None,
    };
    let mut bits = Bits::default();
    let mut tags = [0_u32; 4];
    for element in elements {
        bits.put(3, *element);
        let tag = &mut tags[*element as usize];
        bits.put(4, *tag);
        *tag += 1;
        if *element == CPE {
            // common_window
            bits.put(1, 0);
            bits.put_empty_channel();
        }
        bits.put_empty_channel();
    }
    bits.put(3, END);
    Some(bits.finish())
}

/// channelConfiguration of an AudioSpecificConfig (ISO 14496-3 §1.6.2.1).
fn channel_configuration(config: &[u8]) -> Option<u8> {
    let mut r = Reader::new("AAC", config);
    if r.bits(5, "audioObjectType").ok()? == 31 {
        r.skip(6, "audioObjectTypeExt").ok()?;
    }
    if r.bits(4, "samplingFrequencyIndex").ok()? == 15 {
        r.skip(24, "samplingFrequency").ok()?;
    }
    r.byte(4, "channelConfiguration").ok()
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

impl Bits {
    fn put(&mut self, count: u32, value: u32) {
        for bit in (0..count).rev() {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> bit & 1) as u8) << (7 - self.count % 8);
            }
            self.count += 1;
        }
    }

    /// individual_channel_stream (§4.4.2.7) of a long window without scale factor bands.
    fn put_empty_channel(&mut self) {
        self.put(8, 0); // global_gain
        self.put(1, 0); // ics_reserved_bit
        self.put(2, 0); // window_sequence
        self.put(1, 0); // window_shape
        self.put(6, 0); // max_sfb
        self.put(1, 0); // predictor_data_present
        self.put(3, 0); // pulse, TNS and gain control data
    }

    fn finish(self) -> Bytes {
        self.bytes.into()
    }
}
