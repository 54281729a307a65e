//! The sequence parameter set of H.265 (ISO 23008-2 §7.3.2.2), as far as size and frame rate.

use super::NAME;
use crate::codec::bits::Reader;
use crate::codec::{Error, FrameRate, checked_size, nal};

/// What a sequence parameter set tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sps {
    /// general_profile_space, general_tier_flag and general_profile_idc as one byte.
    pub profile: u8,
    /// general_profile_compatibility flags.
    pub compatibility: u32,
    /// The six bytes of general constraint flags.
    pub constraints: [u8; 6],
    /// general_level_idc: thirty times the level.
    pub level: u8,
    /// Temporal sub-layers, 1–7.
    pub temporal_layers: u8,
    /// Whether every picture of a higher sub-layer is a switching point.
    pub temporal_id_nested: bool,
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
    /// Frames a second, when the VUI tells.
    pub frame_rate: Option<FrameRate>,
}

impl Sps {
    /// Reads a NAL unit of type 33, header included.
    ///
    /// # Errors
    /// When it ends early, is no sequence parameter set, or describes a picture beyond
    /// [`crate::codec::PICTURE_SIDE_MAX`].
    pub fn parse(unit: &[u8]) -> Result<Self, Error> {
        if super::unit_type(unit) != super::SPS || unit.len() < 2 {
            return Err(Error::Malformed { codec: NAME, field: "sequence parameter set" });
        }
        let rbsp = nal::rbsp(unit.get(2..).unwrap_or_default());
        let mut r = Reader::new(NAME, &rbsp);
        r.skip(4, "sps_video_parameter_set_id")?;
        let sub_layers = r.byte(3, "sps_max_sub_layers_minus1")?;
        if sub_layers > 6 {
            let field = "sps_max_sub_layers_minus1";
            return Err(Error::Unsupported { codec: NAME, field, value: sub_layers.into() });
        }
        let temporal_id_nested = r.flag("sps_temporal_id_nesting_flag")?;
        let general = General::parse(&mut r, sub_layers)?;
        r.ue_max(15, "sps_seq_parameter_set_id")?;
        let chroma_format = r.ue_max(3, "chroma_format_idc")? as u8;
        let separate = chroma_format == 3 && r.flag("separate_colour_plane_flag")?;
        let (width, height) = size(&mut r, if separate { 0 } else { chroma_format })?;
        let bit_depth = 8 + r.ue_max(8, "bit_depth_luma_minus8")? as u8;
        let chroma_bit_depth = 8 + r.ue_max(8, "bit_depth_chroma_minus8")? as u8;
        // What follows is advice as far as we are concerned, and a broken VUI does not hinder decoding.
        let frame_rate = frame_rate(&mut r, sub_layers).unwrap_or_default();
        Ok(Self {
            profile: general.profile,
            compatibility: general.compatibility,
            constraints: general.constraints,
            level: general.level,
            temporal_layers: sub_layers + 1,
            temporal_id_nested,
            chroma_format,
            bit_depth,
            chroma_bit_depth,
            width,
            height,
            frame_rate,
        })
    }
}

struct General {
    profile: u8,
    compatibility: u32,
    constraints: [u8; 6],
    level: u8,
}

impl General {
    /// profile_tier_level (§7.3.3).
    fn parse(r: &mut Reader<'_>, sub_layers: u8) -> Result<Self, Error> {
        let profile = r.byte(8, "general_profile_idc")?;
        let compatibility = r.bits(32, "general_profile_compatibility_flags")?;
        let mut constraints = [0; 6];
        for byte in &mut constraints {
            *byte = r.byte(8, "general_constraint_flags")?;
        }
        let level = r.byte(8, "general_level_idc")?;
        let mut present = [(false, false); 8];
        if sub_layers > 0 {
            for flags in &mut present {
                *flags = (r.flag("sub_layer_profile_present")?, r.flag("sub_layer_level_present")?);
            }
        }
        for (has_profile, has_level) in present.iter().take(sub_layers.into()) {
            r.skip(if *has_profile { 88 } else { 0 }, "sub_layer_profile")?;
            r.skip(if *has_level { 8 } else { 0 }, "sub_layer_level")?;
        }
        Ok(Self { profile, compatibility, constraints, level })
    }
}

/// Size with the conformance window (§7.4.3.2.1).
fn size(r: &mut Reader<'_>, chroma_format: u8) -> Result<(u32, u32), Error> {
    let width = u64::from(r.ue("pic_width_in_luma_samples")?);
    let height = u64::from(r.ue("pic_height_in_luma_samples")?);
    let mut crop = (0, 0);
    if r.flag("conformance_window_flag")? {
        let [left, right, top, bottom] = [
            r.ue("conf_win_left_offset")?,
            r.ue("conf_win_right_offset")?,
            r.ue("conf_win_top_offset")?,
            r.ue("conf_win_bottom_offset")?,
        ]
        .map(u64::from);
        let (unit_x, unit_y) = match chroma_format {
            1 => (2, 2),
            2 => (2, 1),
            _ => (1, 1),
        };
        crop = (unit_x * (left + right), unit_y * (top + bottom));
    }
    checked_size(NAME, (width, height), crop)
}

/// From log2_max_pic_order_cnt_lsb_minus4 to the timing of the VUI.
fn frame_rate(r: &mut Reader<'_>, sub_layers: u8) -> Result<Option<FrameRate>, Error> {
    let order_bits = 4 + r.ue_max(12, "log2_max_pic_order_cnt_lsb_minus4")?;
    let all_layers = r.flag("sps_sub_layer_ordering_info_present_flag")?;
    for _ in 0..if all_layers { sub_layers + 1 } else { 1 } {
        r.ue("sps_max_dec_pic_buffering_minus1")?;
        r.ue("sps_max_num_reorder_pics")?;
        r.ue("sps_max_latency_increase_plus1")?;
    }
    for field in [
        "log2_min_luma_coding_block_size_minus3",
        "log2_diff_max_min_luma_coding_block_size",
        "log2_min_luma_transform_block_size_minus2",
        "log2_diff_max_min_luma_transform_block_size",
        "max_transform_hierarchy_depth_inter",
        "max_transform_hierarchy_depth_intra",
    ] {
        r.ue(field)?;
    }
    if r.flag("scaling_list_enabled_flag")? && r.flag("sps_scaling_list_data_present_flag")? {
        scaling_lists(r)?;
    }
    r.skip(2, "amp_enabled_flag")?;
    if r.flag("pcm_enabled_flag")? {
        r.skip(8, "pcm_sample_bit_depth")?;
        r.ue("log2_min_pcm_luma_coding_block_size_minus3")?;
        r.ue("log2_diff_max_min_pcm_luma_coding_block_size")?;
        r.flag("pcm_loop_filter_disabled_flag")?;
    }
    reference_sets(r)?;
    if r.flag("long_term_ref_pics_present_flag")? {
        let count = r.ue_max(32, "num_long_term_ref_pics_sps")?;
        r.skip(count as usize * (order_bits as usize + 1), "lt_ref_pic_poc_lsb_sps")?;
    }
    r.skip(2, "sps_temporal_mvp_enabled_flag")?;
    if r.flag("vui_parameters_present_flag")? { timing(r) } else { Ok(None) }
}

/// §7.3.4.
fn scaling_lists(r: &mut Reader<'_>) -> Result<(), Error> {
    for size in 0..4 {
        for _ in 0..if size == 3 { 2 } else { 6 } {
            if !r.flag("scaling_list_pred_mode_flag")? {
                r.ue("scaling_list_pred_matrix_id_delta")?;
                continue;
            }
            if size > 1 {
                r.se("scaling_list_dc_coef_minus8")?;
            }
            for _ in 0..64.min(1 << (4 + 2 * size)) {
                r.se("scaling_list_delta_coef")?;
            }
        }
    }
    Ok(())
}

/// The short-term reference picture sets (§7.3.7). A set may be told by its difference to the one before, whose number
/// of pictures is then needed.
fn reference_sets(r: &mut Reader<'_>) -> Result<(), Error> {
    let count = r.ue_max(64, "num_short_term_ref_pic_sets")?;
    let mut pictures = 0;
    for index in 0..count {
        if index > 0 && r.flag("inter_ref_pic_set_prediction_flag")? {
            r.flag("delta_rps_sign")?;
            r.ue("abs_delta_rps_minus1")?;
            let before = pictures;
            pictures = 0;
            for _ in 0..=before {
                let used = r.flag("used_by_curr_pic_flag")?;
                pictures += u32::from(used || r.flag("use_delta_flag")?);
            }
        } else {
            let negative = r.ue_max(16, "num_negative_pics")?;
            let positive = r.ue_max(16, "num_positive_pics")?;
            pictures = negative + positive;
            for _ in 0..pictures {
                r.ue("delta_poc_minus1")?;
                r.flag("used_by_curr_pic_flag")?;
            }
        }
    }
    Ok(())
}

/// VUI up to the timing (annex E.2.1).
fn timing(r: &mut Reader<'_>) -> Result<Option<FrameRate>, Error> {
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
    r.skip(3, "neutral_chroma_indication_flag")?;
    if r.flag("default_display_window_flag")? {
        for _ in 0..4 {
            r.ue("def_disp_win_offset")?;
        }
    }
    if !r.flag("vui_timing_info_present_flag")? {
        return Ok(None);
    }
    let tick = r.bits(32, "vui_num_units_in_tick")?;
    let scale = r.bits(32, "vui_time_scale")?;
    Ok(FrameRate::new(scale.into(), tick.into()))
}
