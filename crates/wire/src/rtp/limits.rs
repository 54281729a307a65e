//! What a peer may cost us and how long we wait for it, each with its reason.

use std::time::Duration;

/// Bytes of a payload we make. Datagrams of 1,200 bytes pass every path WebRTC and QUIC run over; taken off are the RTP
/// header (12), header extensions (4 and 16 for times, feedback number and mid), the longest SRTP tag (16) and the
/// original sequence number of a retransmission (2).
pub const PAYLOAD_BYTES_MAX: usize = 1_150;

/// The smallest limit a packetizer works with, so that each packet has room for more than its own headers.
pub const PAYLOAD_BYTES_MIN: usize = 64;

/// Bytes of one frame, as in RTMP: a 4K intra frame at 50 Mbit/s stays under 2 MB.
pub const FRAME_BYTES_MAX: usize = 8 << 20;

/// Packets that wait for earlier ones: the largest frame in packets of [`PAYLOAD_BYTES_MAX`], and its neighbours.
pub const PENDING_PACKETS_MAX: usize = 8_192;

/// Bytes that wait: the largest frame and its neighbours.
pub const PENDING_BYTES_MAX: usize = 12 << 20;

/// Unbroken pieces of frames that wait. A fifth of a second has twelve frames; each loss adds one piece. A peer that
/// sends every other packet must not make us search thousands.
pub const PENDING_RUNS_MAX: usize = 256;

/// How long a picture waits for a missing packet at least: two round trips of a bad mobile path, which is one retransmission
/// asked for and one more when that is lost too.
pub const VIDEO_WAIT: Duration = Duration::from_millis(200);

/// How long anything waits at most, however long its sender is asked for it: beyond this a keyframe is quicker.
pub const WAIT_MAX: Duration = Duration::from_millis(1_200);

/// How long sound waits at least: longer is heard as delay, and one lost packet is concealed well.
pub const AUDIO_WAIT: Duration = Duration::from_millis(60);

/// After so many later packets a missing one is lost rather than out of order, as far as a keyframe behind it cares.
/// Paths that reorder swap neighbours; TCP takes three for loss (RFC 5681 §3.2).
pub const REORDER_PACKETS: usize = 6;

/// The same as time, for keyframes of fewer packets.
pub const REORDER_WAIT: Duration = Duration::from_millis(20);

/// How often a keyframe is asked for while none comes. An encoder that got the request answers within one round trip;
/// asking faster makes some produce nothing but keyframes.
pub const KEYFRAME_REQUEST_EVERY: Duration = Duration::from_secs(2);
