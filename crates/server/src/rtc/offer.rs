//! What a peer offers, read within limits, and what it is answered.

use media::packet::Format;
use str0m::RtcConfig;
use str0m::bwe::Bitrate;
use str0m::change::SdpOffer;
use str0m::format::{Codec, CodecConfig, PayloadParams};
use str0m::rtp::Extension;

use super::simulcast;
use super::way::ESTIMATE_FIRST;

/// What an offer may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Its bytes.
    pub(crate) bytes: usize,
    lines: usize,
    media: usize,
}

/// Of WHIP and WHEP: a browser's offer with every codec it knows is a tenth of the bytes and a fifth of the lines. Pictures,
/// sound and an application's own.
pub(crate) const ONE_STREAM: Limits = Limits { bytes: 64 << 10, lines: 2_000, media: 8 };
/// Of a member of a room: nine sections of pictures with every codec are 2,000 lines in Chromium, and there is sound, and a
/// data channel.
pub(crate) const WHOLE_STAGE: Limits = Limits { bytes: 192 << 10, lines: 6_000, media: 16 };

/// Why an offer was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// It is no SDP, or beyond our limits.
    #[error("the offer cannot be read: {0}")]
    Malformed(String),
    /// Nothing in it can be sent or received.
    #[error("{0}")]
    NoCodec(String),
}

/// An offer whose candidates are left out: whoever answers to our name is found by the address it comes from, and a
/// thousand made-up candidates cost nothing. Where it leaves open who begins DTLS (RFC 8842 §5.3), it is us: a browser's own
/// clock for flights that were lost doubles from twice the round trip, and when it answers, one of its two comes again
/// whenever ours does.
pub(super) fn read(text: &str, limits: Limits) -> Result<(SdpOffer, String), Refusal> {
    let Limits { bytes, lines, media } = limits;
    let beyond = |what: String| Err(Refusal::Malformed(what));
    if text.len() > bytes {
        return beyond(format!("it is longer than {} KB", bytes >> 10));
    }
    if text.lines().take(lines + 1).count() > lines {
        return beyond(format!("it has more than {lines} lines"));
    }
    if text.lines().filter(|line| line.starts_with("m=")).count() > media {
        return beyond(format!("it has more than {media} media sections"));
    }
    let is_kept = |line: &&str| !line.starts_with("a=candidate:") && !line.starts_with("a=end-of-candidates");
    let decided = |line| if line == "a=setup:actpass" { "a=setup:passive" } else { line };
    let kept: String = text.lines().filter(is_kept).flat_map(|line| [decided(line), "\r\n"]).collect();
    let kept = simulcast::limited(&kept);
    Ok((again(&kept)?, kept))
}

/// An offer that was read before.
pub(super) fn again(kept: &str) -> Result<SdpOffer, Refusal> {
    SdpOffer::from_sdp_string(kept).map_err(|error| Refusal::Malformed(error.to_string()))
}

/// Whether the offer has this codec, by the name of its `rtpmap`.
fn offers(text: &str, name: &str) -> bool {
    text.lines()
        .filter_map(|line| line.strip_prefix("a=rtpmap:")?.split_once(' '))
        .any(|(_, map)| map.split('/').next().is_some_and(|encoding| encoding.eq_ignore_ascii_case(name)))
}

/// What a viewer is told that takes whole slices only, which no network carries whatever their size.
const UNCUT: &str = "the offer has H.264 in packetization-mode 0 alone, and this stream is sent in mode 1; offer \
    `packetization-mode=1`, or watch by HTTP-FLV or HLS";

/// Whether the offer would take H.264 whose pictures are cut into packets of any size (RFC 6184 §8.1: it has to say so).
fn takes_fragments(text: &str) -> bool {
    let line =
        |name: &'static str| text.lines().filter_map(move |line| line.strip_prefix(name)?.split_once(' '));
    let is_h264 = |map: &str| map.split('/').next().is_some_and(|name| name.eq_ignore_ascii_case("H264"));
    let is_cut = |params: &str| params.split(';').any(|param| param.trim() == "packetization-mode=1");
    let cut = |payload| line("a=fmtp:").any(|(of, params)| of == payload && is_cut(params));
    line("a=rtpmap:").any(|(payload, map)| is_h264(map) && cut(payload))
}

/// The name of a format in an `rtpmap`.
pub(super) fn encoding(format: Format) -> &'static str {
    match format {
        Format::H264 => "H264",
        Format::H265 => "H265",
        Format::Vp8 => "VP8",
        Format::Vp9 => "VP9",
        Format::Av1 => "AV1",
        Format::Opus => "opus",
    }
}

/// Of a publisher: H.264 when it is offered, because everything can play it, else whatever we can carry.
pub(super) fn publishing(config: RtcConfig, offer: &str) -> RtcConfig {
    let config = config.set_crypto_provider(super::crypto::asking());
    let config = config.clear_codecs().enable_opus(true, offers(offer, "red"));
    let config = match offers(offer, "H264") {
        true => config.enable_h264(true),
        false => config.enable_vp8(true).enable_vp9(true).enable_av1(true).enable_h265(true),
    };
    let config = config.set_extension(CAPTURED, Extension::AbsoluteCaptureTime);
    // Sound that is asked for again costs next to nothing and saves the word it was in.
    with_params(config, |all| {
        for params in all.iter_mut().filter(|params| params.spec().codec == Codec::Opus) {
            params.set_fb_nack(true);
        }
    })
}

/// The configuration with its codecs' parameters changed, which the library lets be read and replaced only.
fn with_params(mut config: RtcConfig, change: impl FnOnce(&mut Vec<PayloadParams>)) -> RtcConfig {
    let codecs = config.codec_config();
    let mut all = codecs.params().to_vec();
    change(&mut all);
    *codecs = CodecConfig::new_from_payload_params(all);
    config
}

/// The offer has pictures, but not of this kind, and would take H.264.
pub(super) fn needs_h264(offer: &str, formats: &[Format]) -> bool {
    let has_pictures = offer.lines().any(|line| line.starts_with("m=video"));
    let pictures = formats.iter().find(|format| format.is_video());
    has_pictures && offers(offer, "H264") && pictures.is_some_and(|format| !offers(offer, encoding(*format)))
}

/// The viewer can tell which packets came when: what bandwidth is reckoned by.
pub(super) fn tells_arrivals(offer: &str) -> bool {
    let line = |front, part| offer.lines().any(|line| line.starts_with(front) && line.contains(part));
    line("a=extmap:", Extension::TransportSequenceNumber.as_uri()) && line("a=rtcp-fb:", "transport-cc")
}

/// Of a viewer: what the broadcast carries, and nothing else. Its way is reckoned or not.
pub(super) fn watching(
    config: RtcConfig,
    offer: &str,
    formats: impl Iterator<Item = Format>,
    is_reckoned: bool,
) -> Result<RtcConfig, Refusal> {
    let mut config = config.clear_codecs();
    let (mut some, mut missing) = (false, Vec::new());
    for format in formats {
        let kind = if format.is_video() { "m=video" } else { "m=audio" };
        if !offer.lines().any(|line| line.starts_with(kind)) {
            continue;
        }
        if !offers(offer, encoding(format)) {
            missing.push(encoding(format));
            continue;
        }
        if format == Format::H264 && !takes_fragments(offer) {
            return Err(Refusal::NoCodec(UNCUT.into()));
        }
        some = true;
        config = enable(config, format, offers(offer, "red"));
    }
    match (missing.is_empty(), some) {
        (true, true) if is_reckoned => Ok(with_estimation(config)),
        (true, true) => Ok(without_estimation(config)),
        (true, false) => Err(Refusal::NoCodec("the offer asks for nothing that this stream has".into())),
        (false, _) => Err(Refusal::NoCodec(format!(
            "this stream is {}, which the offer does not have; watch it by HTTP-FLV or HLS",
            missing.join(" and ")
        ))),
    }
}

/// Of a member of a room: Opus, and every kind of picture that a publisher may come to send and the member can take.
pub(super) fn attending(config: RtcConfig, offer: &str, is_reckoned: bool) -> RtcConfig {
    const PICTURES: [Format; 5] = [Format::H264, Format::Vp8, Format::Vp9, Format::Av1, Format::H265];
    let mut config = config.clear_codecs();
    for format in PICTURES.into_iter().filter(|format| offers(offer, encoding(*format))) {
        if format != Format::H264 || takes_fragments(offer) {
            config = enable(config, format, false);
        }
    }
    config = enable(config, Format::Opus, offers(offer, "red"));
    if is_reckoned { with_estimation(config) } else { without_estimation(config) }
}

/// Numbers of extensions, ours; a peer's own numbers replace them. The library has 1 to 4, 10, 11 and 13.
const MID: u8 = 4;
const CAPTURED: u8 = 5;
const ARRIVAL: u8 = 3;

/// Where there are layers to choose from, what a viewer could take is reckoned by what it tells of each packet.
fn with_estimation(config: RtcConfig) -> RtcConfig {
    let config = config
        .clear_extension_map()
        .set_extension(MID, Extension::RtpMid)
        .set_extension(CAPTURED, Extension::AbsoluteCaptureTime)
        .set_extension(ARRIVAL, Extension::TransportSequenceNumber)
        .enable_bwe(Some(Bitrate::bps(ESTIMATE_FIRST)));
    with_params(config, |all| all.iter_mut().for_each(|params| params.set_fb_remb(false)))
}

/// Nobody reckons how much a viewer could take: what is for that would be twelve bytes of every packet and a record of
/// each, and browsers would report on all of them ten times a second.
fn without_estimation(config: RtcConfig) -> RtcConfig {
    let config = config
        .clear_extension_map()
        .set_extension(MID, Extension::RtpMid)
        .set_extension(CAPTURED, Extension::AbsoluteCaptureTime);
    with_params(config, |all| {
        for params in all {
            params.set_fb_transport_cc(false);
            params.set_fb_remb(false);
        }
    })
}

/// Pictures come in slices of any size, so only packetization mode 1, which cuts them, can be sent (RFC 6184 §6).
fn fragmented(config: RtcConfig) -> RtcConfig {
    with_params(config, |all| all.retain(|params| params.spec().format.packetization_mode != Some(0)))
}

fn enable(config: RtcConfig, format: Format, red: bool) -> RtcConfig {
    match format {
        Format::H264 => fragmented(config.enable_h264(true)),
        Format::H265 => config.enable_h265(true),
        Format::Vp8 => config.enable_vp8(true),
        Format::Vp9 => config.enable_vp9(true),
        Format::Av1 => config.enable_av1(true),
        Format::Opus => config.enable_opus(true, red),
    }
}

/// How many media sections an answer agrees to; none is a refusal, whatever data channels there are.
pub(super) fn agreed(answer: &str) -> Result<usize, Refusal> {
    let is_agreed = |line: &&str| {
        let port = ["m=audio ", "m=video "].iter().find_map(|kind| line.strip_prefix(kind));
        port.is_some_and(|port| !port.starts_with("0 "))
    };
    match answer.lines().filter(is_agreed).count() {
        0 => Err(Refusal::NoCodec(
            "the offer and this server have no codec in common; offer H.264, VP8, VP9, AV1 or H.265, and Opus"
                .into(),
        )),
        agreed => Ok(agreed),
    }
}

/// Sound and picture of a broadcast are one stream: browsers keep together what is of one, and nothing else (RFC 8830 §2).
/// The library names another for each.
pub(super) fn in_one_stream(answer: &str) -> String {
    let stream = answer.lines().find_map(|line| line.strip_prefix("a=msid:")?.split(' ').next());
    let Some(stream) = stream else { return answer.to_owned() };
    let renamed = |line: &str| match line.split_once("msid:") {
        Some((front @ "a=", names)) => rename(front, stream, names),
        Some((front, names)) if front.starts_with("a=ssrc:") => rename(front, stream, names),
        _ if line.starts_with("a=msid-semantic:") => format!("a=msid-semantic: WMS {stream}\r\n"),
        _ => format!("{line}\r\n"),
    };
    answer.lines().map(renamed).collect()
}

/// Candidates stand in the first section that was accepted: the library puts them in the first of all, and of a rejected one
/// browsers read nothing (RFC 9143 §7.2).
pub(super) fn with_candidates_in_use(answer: &str) -> String {
    let (candidates, others): (Vec<&str>, Vec<&str>) =
        answer.lines().partition(|line| line.starts_with("a=candidate:"));
    let is_accepted = |line: &str| line.starts_with("m=") && line.split(' ').nth(1) != Some("0");
    let section = others.iter().position(|line| is_accepted(line)).unwrap_or(0);
    // Behind the section's address, which RFC 8866 §5 has first.
    let address = others.iter().skip(section).position(|line| line.starts_with("c="));
    let (before, after) = others.split_at(address.map_or(others.len(), |at| section + at + 1));
    before.iter().chain(&candidates).chain(after).flat_map(|line| [*line, "\r\n"]).collect()
}

fn rename(front: &str, stream: &str, names: &str) -> String {
    let track = names.split_once(' ').map_or("", |(_, track)| track);
    format!("{front}msid:{stream} {track}\r\n")
}

/// The offer of a session whose peer has begun ICE anew.
pub(super) fn with_credentials(offer: &str, ufrag: &str, pwd: &str) -> String {
    let renewed = |line: &str| match line.split_once(':') {
        Some(("a=ice-ufrag", _)) => format!("a=ice-ufrag:{ufrag}\r\n"),
        Some(("a=ice-pwd", _)) => format!("a=ice-pwd:{pwd}\r\n"),
        _ => format!("{line}\r\n"),
    };
    offer.lines().map(renewed).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use str0m::media::MediaKind;

    use super::super::crypto;
    use super::*;

    /// In the manner of OBS Studio 30 (libdatachannel): credentials, fingerprint and role of the whole session, candidates
    /// in the offer, streams told by their SSRC alone, neither RTX nor extensions, and a second group.
    const OBS: &str = include_str!("../../../../tests/fixtures/obs_30_whip.sdp");

    #[test]
    fn obs_is_answered_with_what_it_sends() {
        let (offer, kept) = read(OBS, ONE_STREAM).unwrap();
        assert!(!kept.contains("candidate"));
        let config = publishing(RtcConfig::new().set_crypto_provider(crypto::provider()), &kept);
        let mut rtc = config.set_ice_lite(true).set_rtp_mode(true).build(Instant::now());
        let answer = rtc.sdp_api().accept_offer(offer).unwrap().to_sdp_string();
        assert_eq!(agreed(&answer).unwrap(), 2, "{answer}");
        let sections: Vec<&str> = answer.split("m=").collect();
        let [session, audio, video] = sections[..] else { panic!("{answer}") };
        assert!(
            session.contains("a=group:BUNDLE 0 1\r\n") && session.contains("a=ice-lite\r\n"),
            "{session}"
        );
        for (section, media) in
            [(audio, "audio 9 UDP/TLS/RTP/SAVPF 111\r\n"), (video, "video 9 UDP/TLS/RTP/SAVPF 96\r\n")]
        {
            assert!(section.starts_with(media), "{section}");
            for line in
                ["a=recvonly", "a=rtcp-mux", "a=setup:active", "a=ice-ufrag:", "a=fingerprint:sha-256 "]
            {
                assert!(section.contains(line), "no {line} in {section}");
            }
            assert!(!section.contains("a=extmap:"), "it was offered none: {section}");
        }
        assert!(audio.contains("a=mid:0\r\n") && audio.contains("a=rtpmap:111 opus/48000/2\r\n"), "{audio}");
        assert!(video.contains("a=mid:1\r\n") && video.contains("a=rtpmap:96 H264/90000\r\n"), "{video}");
        assert!(video.contains("packetization-mode=1") && video.contains("profile-level-id=42"), "{video}");
        assert!(
            video.contains("a=rtcp-fb:96 nack\r\n") && video.contains("a=rtcp-fb:96 nack pli\r\n"),
            "{video}"
        );
        // Packets carry no section's name: the SSRC alone tells whose they are.
        for (ssrc, kind) in [(1_480_264_193, MediaKind::Audio), (1_480_264_194, MediaKind::Video)] {
            let mid = rtc.direct_api().stream_rx(&ssrc.into()).expect("it was told of").mid();
            assert_eq!(rtc.media(mid).map(|media| media.kind()), Some(kind));
        }
    }

    /// In the manner of Chromium 156: three layers by name, which packets carry in extensions.
    const LAYERS: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n\
        a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n\
        a=setup:actpass\r\na=mid:0\r\na=extmap:9 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
        a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n\
        a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\r\na=sendonly\r\na=rtcp-mux\r\n\
        a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;profile-level-id=42e01f\r\na=rtcp-fb:96 nack\r\n\
        a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=rid:l send\r\na=rid:m send\r\na=rid:h send\r\na=simulcast:send l;m;h\r\n";

    #[test]
    fn layers_are_answered_by_name_with_the_extensions_that_tell_them_apart() {
        let (offer, kept) = read(LAYERS, ONE_STREAM).unwrap();
        let config = publishing(RtcConfig::new().set_crypto_provider(crypto::provider()), &kept);
        let mut rtc = config.set_ice_lite(true).set_rtp_mode(true).build(Instant::now());
        let answer = rtc.sdp_api().accept_offer(offer).unwrap().to_sdp_string();
        for line in [
            "a=simulcast:recv l;m;h",
            "a=rid:l recv",
            "a=rid:m recv",
            "a=rid:h recv",
            "a=extmap:9 urn:ietf:params:rtp-hdrext:sdes:mid",
            "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            "a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
            "a=rtpmap:97 rtx/90000",
        ] {
            assert!(answer.contains(&format!("{line}\r\n")), "no {line} in {answer}");
        }
    }

    #[test]
    fn a_way_is_reckoned_for_those_only_that_have_a_choice_and_tell_arrivals() {
        let offer = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n\
            a=rtcp-fb:96 transport-cc\r\n\
            a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n";
        assert!(tells_arrivals(offer));
        assert!(!tells_arrivals(&offer.replace("transport-wide-cc", "other")));
        assert!(!tells_arrivals(&offer.replace("transport-cc", "nack")));
        for is_reckoned in [true, false] {
            let config =
                watching(RtcConfig::new(), offer, std::iter::once(Format::H264), is_reckoned).unwrap();
            assert_eq!(config.bwe_initial_bitrate().is_some(), is_reckoned);
        }
    }

    #[test]
    fn sound_and_picture_are_answered_as_one_stream() {
        let answer = "v=0\r\na=msid-semantic: WMS one two\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=msid:one v\r\n\
            a=ssrc:1 cname:c\r\na=ssrc:1 msid:one v\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=msid:two a\r\na=ssrc:2 msid:two a\r\n";
        let told = "v=0\r\na=msid-semantic: WMS one\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=msid:one v\r\n\
            a=ssrc:1 cname:c\r\na=ssrc:1 msid:one v\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=msid:one a\r\na=ssrc:2 msid:one a\r\n";
        assert_eq!(in_one_stream(answer), told);
        assert_eq!(in_one_stream("v=0\r\na=recvonly\r\n"), "v=0\r\na=recvonly\r\n");
    }

    #[test]
    fn h264_is_made_for_offers_that_have_it_and_lack_what_is_published() {
        let offer =
            "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=rtpmap:96 H264/90000\r\na=rtpmap:97 VP8/90000\r\n";
        assert!(needs_h264(offer, &[Format::Opus, Format::Av1]));
        assert!(!needs_h264(offer, &[Format::Vp8]), "it is taken as it is");
        assert!(!needs_h264(offer, &[Format::Opus]), "there is nothing to make it of");
        assert!(!needs_h264(&offer.replace("H264", "H265"), &[Format::Av1]), "it would not be taken");
        assert!(!needs_h264(&offer.replace("m=video", "m=audio"), &[Format::Av1]), "no picture is asked for");
    }

    #[test]
    fn candidates_stand_where_media_was_accepted() {
        let answer = "v=0\r\nm=video 0 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=candidate:1 1 udp 1 127.0.0.1 5 typ host\r\na=mid:0\r\n\
            m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n";
        let told = "v=0\r\nm=video 0 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n\
            m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=candidate:1 1 udp 1 127.0.0.1 5 typ host\r\na=mid:1\r\n";
        assert_eq!(with_candidates_in_use(answer), told);
        assert_eq!(with_candidates_in_use(told), told);
    }

    #[test]
    fn viewers_that_take_whole_slices_only_are_told_what_to_offer() {
        let offer = |params: &str| {
            format!(
                "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=rtpmap:96 H264/90000\r\n{params}a=rtpmap:97 VP8/90000\r\n"
            )
        };
        let told = |params: &str| {
            watching(RtcConfig::new(), &offer(params), std::iter::once(Format::H264), false)
                .map_err(|e| e.to_string())
        };
        for uncut in [
            "",
            "a=fmtp:96 packetization-mode=0\r\n",
            "a=fmtp:96 profile-level-id=42e01f\r\n",
            "a=fmtp:97 packetization-mode=1\r\n",
        ] {
            let refused = told(uncut).expect_err("it is refused");
            assert!(refused.contains("packetization-mode=1"), "{uncut}: {refused}");
            assert!(watching(RtcConfig::new(), &offer(uncut), std::iter::once(Format::Vp8), false).is_ok());
        }
        assert!(told("a=fmtp:96 profile-level-id=42e01f;packetization-mode=1\r\n").is_ok());
    }

    #[test]
    fn viewers_are_asked_for_no_report_that_nobody_reads() {
        let offer = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 H264/90000\r\n\
            a=fmtp:96 profile-level-id=42e01f; packetization-mode=1\r\n";
        let mut config = watching(RtcConfig::new(), offer, std::iter::once(Format::H264), false).unwrap();
        let of = |config: &mut RtcConfig, extension| config.extension_map().id_of(extension);
        assert_eq!(of(&mut config, Extension::TransportSequenceNumber), None);
        assert_eq!(of(&mut config, Extension::AbsoluteSendTime), None);
        assert!(of(&mut config, Extension::RtpMid).is_some(), "by which media of one port are told apart");
        let params = config.codec_config().params();
        assert!(
            !params.is_empty() && params.iter().all(|params| !params.fb_transport_cc() && !params.fb_remb())
        );
        assert!(params.iter().all(|params| params.fb_nack() && params.fb_pli()), "those are read");
        let modes = params.iter().map(|params| params.spec().format.packetization_mode);
        assert!(
            modes.clone().count() > 0 && modes.flatten().all(|mode| mode == 1),
            "only what is cut can be sent"
        );
    }
}
