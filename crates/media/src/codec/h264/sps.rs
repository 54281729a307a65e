//! The sequence parameter set of H.264 (ISO 14496-10 §7.3.2.1.1), as far as size and frame rate.

use super::NAME;
use crate::codec::bits::Reader;
use crate::codec::{Error, FrameRate, checked_size, nal};

/// What a sequence parameter set tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sps {
    /// Its number, 0–31.
    pub id: u8,
    /// profile_idc.
    pub profile: u8,
    /// The constraint flags as one byte.
    pub constraints: u8,
    /// level_idc: ten times the level.
    pub level: u8,
    /// Chroma format: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma_format: u8,
    /// Bits of a luma sample.
    pub bit_depth: u8,
    /// Bits of a chroma sample.
    pub chroma_bit_depth: u8,
    /// Width in pixels, cropping applied.
    pub width: u32,
    /// Height in pixels, cropping applied.
    pub height: u32,
    /// Whether every picture is a whole frame; if not, some may be fields (interlaced).
    pub progressive: bool,
    /// Frames a second, when the VUI tells.
    pub frame_rate: Option<FrameRate>,
}

impl Sps {
    /// Reads a NAL unit of type 7, header included.
    ///
    /// # Errors
    /// When it ends early, is no sequence parameter set, or describes a picture beyond
    /// [`crate::codec::PICTURE_SIDE_MAX`].
    pub fn parse(unit: &[u8]) -> Result<Self, Error> {
        let Some((header, body)) = unit.split_first() else {
            return Err(Error::Truncated { codec: NAME, len: 0, field: "sequence parameter set" });
        };
        if header & 0x1F != super::SPS {
            return Err(Error::Malformed { codec: NAME, field: "sequence parameter set" });
        }
        let rbsp = nal::rbsp(body);
        let mut r = Reader::new(NAME, &rbsp);
        let profile = r.byte(8, "profile_idc")?;
        let constraints = r.byte(8, "constraint_set flags")?;
        let level = r.byte(8, "level_idc")?;
        let id = r.ue_max(31, "seq_parameter_set_id")? as u8;
        let chroma = Chroma::parse(&mut r, profile)?;
        r.ue_max(12, "log2_max_frame_num_minus4")?;
        picture_order(&mut r)?;
        r.ue("max_num_ref_frames")?;
        r.flag("gaps_in_frame_num_value_allowed_flag")?;
        let Size { width, height, progressive } = size(&mut r, &chroma)?;
        // What follows is advice. Encoders with a broken VUI exist, and their pictures decode.
        let frame_rate = timing(&mut r).unwrap_or_default();
        Ok(Self {
            id,
            profile,
            constraints,
            level,
            chroma_format: chroma.format,
            bit_depth: chroma.bit_depth,
            chroma_bit_depth: chroma.chroma_bit_depth,
            width,
            height,
            progressive,
            frame_rate,
        })
    }
}

struct Chroma {
    format: u8,
    separate_planes: bool,
    bit_depth: u8,
    chroma_bit_depth: u8,
}

impl Chroma {
    fn parse(r: &mut Reader<'_>, profile: u8) -> Result<Self, Error> {
        let mut chroma = Self { format: 1, separate_planes: false, bit_depth: 8, chroma_bit_depth: 8 };
        if !has_chroma_fields(profile) {
            return Ok(chroma);
        }
        chroma.format = r.ue_max(3, "chroma_format_idc")? as u8;
        if chroma.format == 3 {
            chroma.separate_planes = r.flag("separate_colour_plane_flag")?;
        }
        chroma.bit_depth = 8 + r.ue_max(6, "bit_depth_luma_minus8")? as u8;
        chroma.chroma_bit_depth = 8 + r.ue_max(6, "bit_depth_chroma_minus8")? as u8;
        r.flag("qpprime_y_zero_transform_bypass_flag")?;
        if r.flag("seq_scaling_matrix_present_flag")? {
            let lists = if chroma.format == 3 { 12 } else { 8 };
            for list in 0..lists {
                if r.flag("seq_scaling_list_present_flag")? {
                    scaling_list(r, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
        Ok(chroma)
    }
}

/// Whether chroma format and bit depths are present, in SPS (§7.3.2.1.1) and avcC alike.
pub(super) fn has_chroma_fields(profile: u8) -> bool {
    matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135)
}

/// §7.3.2.1.1.1.
fn scaling_list(r: &mut Reader<'_>, size: usize) -> Result<(), Error> {
    let mut last = 8_i64;
    let mut next = 8_i64;
    for _ in 0..size {
        if next != 0 {
            next = (last + i64::from(r.se("delta_scale")?) + 256).rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Ok(())
}

fn picture_order(r: &mut Reader<'_>) -> Result<(), Error> {
    match r.ue_max(2, "pic_order_cnt_type")? {
        0 => r.ue_max(12, "log2_max_pic_order_cnt_lsb_minus4").map(drop),
        1 => {
            r.flag("delta_pic_order_always_zero_flag")?;
            r.se("offset_for_non_ref_pic")?;
            r.se("offset_for_top_to_bottom_field")?;
            let cycle = r.ue_max(255, "num_ref_frames_in_pic_order_cnt_cycle")?;
            (0..cycle).try_for_each(|_| r.se("offset_for_ref_frame").map(drop))
        }
        _ => Ok(()),
    }
}

struct Size {
    width: u32,
    height: u32,
    progressive: bool,
}

/// Picture size with the cropping of §7.4.2.1.1 (equations 7-19 to 7-22).
fn size(r: &mut Reader<'_>, chroma: &Chroma) -> Result<Size, Error> {
    let width = (u64::from(r.ue("pic_width_in_mbs_minus1")?) + 1) * 16;
    let map_units = u64::from(r.ue("pic_height_in_map_units_minus1")?) + 1;
    let frame_only = r.flag("frame_mbs_only_flag")?;
    if !frame_only {
        r.flag("mb_adaptive_frame_field_flag")?;
    }
    r.flag("direct_8x8_inference_flag")?;
    let fields = if frame_only { 1 } else { 2 };
    let height = map_units * 16 * fields;
    let mut crop = (0, 0);
    if r.flag("frame_cropping_flag")? {
        let [left, right, top, bottom] = [
            r.ue("frame_crop_left_offset")?,
            r.ue("frame_crop_right_offset")?,
            r.ue("frame_crop_top_offset")?,
            r.ue("frame_crop_bottom_offset")?,
        ]
        .map(u64::from);
        let (unit_x, unit_y) = match chroma.format {
            1 if !chroma.separate_planes => (2, 2),
            2 if !chroma.separate_planes => (2, 1),
            _ => (1, 1),
        };
        crop = (unit_x * (left + right), unit_y * fields * (top + bottom));
    }
    let (width, height) = checked_size(NAME, (width, height), crop)?;
    Ok(Size { width, height, progressive: frame_only })
}

/// VUI up to the timing (annex E.1.1).
fn timing(r: &mut Reader<'_>) -> Result<Option<FrameRate>, Error> {
    if !r.flag("vui_parameters_present_flag")? {
        return Ok(None);
    }
    if r.flag("aspect_ratio_info_present_flag")? && r.bits(8, "aspect_ratio_idc")? == 255 {
        r.skip(32, "sar")?;
    }
    if r.flag("overscan_info_present_flag")? {
        r.flag("overscan_appropriate_flag")?;
    }
    if r.flag("video_signal_type_present_flag")? {
        r.skip(4, "video_format")?;
        if r.flag("colour_description_present_flag")? {
            r.skip(24, "colour_description")?;
        }
    }
    if r.flag("chroma_loc_info_present_flag")? {
        r.ue("chroma_sample_loc_type_top_field")?;
        r.ue("chroma_sample_loc_type_bottom_field")?;
    }
    if !r.flag("timing_info_present_flag")? {
        return Ok(None);
    }
    let tick = r.bits(32, "num_units_in_tick")?;
    let scale = r.bits(32, "time_scale")?;
    // A tick is a field (§E.2.1): two of them make a frame.
    Ok(FrameRate::new(scale.into(), u64::from(tick) * 2))
}
