//! The sequence header OBU of AV1 (AV1 bitstream §5.5), as far as the configuration record and frame rate need.

use super::NAME;
use crate::codec::bits::Reader;
use crate::codec::{Error, FrameRate, checked_size};

/// What a sequence header tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// seq_profile: 0 Main, 1 High, 2 Professional.
    pub profile: u8,
    /// seq_level_idx of operating point 0; 31 is "maximum".
    pub level: u8,
    /// seq_tier of operating point 0: false Main, true High.
    pub high_tier: bool,
    /// Largest width in pixels.
    pub width: u32,
    /// Largest height in pixels.
    pub height: u32,
    /// Bits of a sample: 8, 10 or 12.
    pub bit_depth: u8,
    /// No chroma.
    pub monochrome: bool,
    /// Chroma is half as wide.
    pub subsampling_x: bool,
    /// Chroma is half as high.
    pub subsampling_y: bool,
    /// chroma_sample_position, 0–3.
    pub sample_position: u8,
    /// Frames a second, when all pictures are said to last equally long.
    pub frame_rate: Option<FrameRate>,
}

#[derive(Default)]
struct Operating {
    level: u8,
    high_tier: bool,
    frame_rate: Option<FrameRate>,
}

impl Sequence {
    /// Reads the payload of an OBU of type 1, without its header.
    ///
    /// # Errors
    /// When it is cut, of a reserved profile, or describes a picture beyond [`crate::codec::PICTURE_SIDE_MAX`].
    pub fn parse(payload: &[u8]) -> Result<Self, Error> {
        let mut r = Reader::new(NAME, payload);
        let profile = r.byte(3, "seq_profile")?;
        if profile > 2 {
            return Err(Error::Unsupported { codec: NAME, field: "seq_profile", value: profile.into() });
        }
        r.flag("still_picture")?;
        let reduced = r.flag("reduced_still_picture_header")?;
        let operating = if reduced {
            Operating { level: r.byte(5, "seq_level_idx")?, ..Operating::default() }
        } else {
            operating_points(&mut r)?
        };
        let (width, height) = size(&mut r)?;
        tools(&mut r, reduced)?;
        let mut sequence = Self {
            profile,
            level: operating.level,
            high_tier: operating.high_tier,
            width,
            height,
            bit_depth: 8,
            monochrome: false,
            subsampling_x: true,
            subsampling_y: true,
            sample_position: 0,
            frame_rate: operating.frame_rate,
        };
        sequence.colour(&mut r)?;
        Ok(sequence)
    }

    /// color_config (§5.5.2).
    fn colour(&mut self, r: &mut Reader<'_>) -> Result<(), Error> {
        let high = r.flag("high_bitdepth")?;
        self.bit_depth = match (self.profile, high) {
            (2, true) => 10 + 2 * r.byte(1, "twelve_bit")?,
            (_, true) => 10,
            (_, false) => 8,
        };
        self.monochrome = self.profile != 1 && r.flag("mono_chrome")?;
        // Primaries 1, transfer 13, matrix 0 together are sRGB, which has no subsampling to tell.
        let mut srgb = false;
        if r.flag("color_description_present_flag")? {
            srgb = r.bits(24, "color_description")? == 0x01_0D_00;
        }
        if self.monochrome {
            r.flag("color_range")?;
            return Ok(());
        }
        if srgb {
            (self.subsampling_x, self.subsampling_y) = (false, false);
            return Ok(());
        }
        r.flag("color_range")?;
        (self.subsampling_x, self.subsampling_y) = match (self.profile, self.bit_depth) {
            (0, _) => (true, true),
            (1, _) => (false, false),
            (_, 12) => {
                let x = r.flag("subsampling_x")?;
                (x, x && r.flag("subsampling_y")?)
            }
            (_, _) => (true, false),
        };
        if self.subsampling_x && self.subsampling_y {
            self.sample_position = r.byte(2, "chroma_sample_position")?;
        }
        Ok(())
    }
}

/// From timing_info_present_flag to the operating points (§5.5.1); the first of them counts.
fn operating_points(r: &mut Reader<'_>) -> Result<Operating, Error> {
    let mut first = Operating::default();
    let mut delay_bits = None;
    if r.flag("timing_info_present_flag")? {
        first.frame_rate = timing(r)?;
        if r.flag("decoder_model_info_present_flag")? {
            delay_bits = Some(r.bits(5, "buffer_delay_length_minus_1")? as usize + 1);
            r.skip(32 + 5 + 5, "decoder_model_info")?;
        }
    }
    let initial_delay = r.flag("initial_display_delay_present_flag")?;
    for index in 0..=r.bits(5, "operating_points_cnt_minus_1")? {
        r.skip(12, "operating_point_idc")?;
        let level = r.byte(5, "seq_level_idx")?;
        let high_tier = level > 7 && r.flag("seq_tier")?;
        if index == 0 {
            (first.level, first.high_tier) = (level, high_tier);
        }
        if let Some(bits) = delay_bits
            && r.flag("decoder_model_present_for_this_op")?
        {
            r.skip(2 * bits + 1, "operating_parameters_info")?;
        }
        if initial_delay && r.flag("initial_display_delay_present_for_this_op")? {
            r.skip(4, "initial_display_delay_minus_1")?;
        }
    }
    Ok(first)
}

/// timing_info (§5.5.3).
fn timing(r: &mut Reader<'_>) -> Result<Option<FrameRate>, Error> {
    let tick = u64::from(r.bits(32, "num_units_in_display_tick")?);
    let scale = u64::from(r.bits(32, "time_scale")?);
    if !r.flag("equal_picture_interval")? {
        return Ok(None);
    }
    // uvlc() is ue(v) but for codes of 32 zeros, which would mean pictures of a hundred years.
    let ticks = u64::from(r.ue("num_ticks_per_picture_minus_1")?) + 1;
    Ok(tick.checked_mul(ticks).and_then(|units| FrameRate::new(scale, units)))
}

fn size(r: &mut Reader<'_>) -> Result<(u32, u32), Error> {
    let width_bits = r.bits(4, "frame_width_bits_minus_1")? + 1;
    let height_bits = r.bits(4, "frame_height_bits_minus_1")? + 1;
    let width = u64::from(r.bits(width_bits, "max_frame_width_minus_1")?) + 1;
    let height = u64::from(r.bits(height_bits, "max_frame_height_minus_1")?) + 1;
    checked_size(NAME, (width, height), (0, 0))
}

/// From frame_id_numbers_present_flag to enable_restoration.
fn tools(r: &mut Reader<'_>, reduced: bool) -> Result<(), Error> {
    if !reduced && r.flag("frame_id_numbers_present_flag")? {
        r.skip(4 + 3, "delta_frame_id_length")?;
    }
    r.skip(3, "use_128x128_superblock")?;
    if !reduced {
        r.skip(4, "enable_interintra_compound")?;
        if r.flag("enable_order_hint")? {
            r.skip(2, "enable_jnt_comp")?;
            screen_content(r)?;
            r.skip(3, "order_hint_bits_minus_1")?;
        } else {
            screen_content(r)?;
        }
    }
    r.skip(3, "enable_superres")
}

fn screen_content(r: &mut Reader<'_>) -> Result<(), Error> {
    let chosen = r.flag("seq_choose_screen_content_tools")?;
    let possible = chosen || r.flag("seq_force_screen_content_tools")?;
    if possible && !r.flag("seq_choose_integer_mv")? {
        r.flag("seq_force_integer_mv")?;
    }
    Ok(())
}
