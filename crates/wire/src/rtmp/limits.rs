//! What a peer may cost us, each bound with its reason.

use std::time::Duration;

/// Bytes of one message. A 4K intra frame at 50 Mbit/s stays under 2 MB; the wire format itself would allow 16 MB.
pub const MESSAGE_BYTES_MAX: u32 = 8 << 20;

/// Chunk streams of one connection, each with its own state. Encoders use three to six; the format allows 65,598.
pub const CHUNK_STREAMS_MAX: usize = 64;

/// Bytes of unfinished messages of one connection, over all chunk streams: one of the largest size and its neighbours.
pub const PARTIAL_BYTES_MAX: usize = 12 << 20;

/// What is reserved for a message on the word of its header alone; beyond it memory follows the bytes that came.
pub const RESERVE_BYTES_MAX: usize = 128 << 10;

/// The chunk size of both directions until one is announced (§5.4.1).
pub const CHUNK_BYTES_DEFAULT: u32 = 128;

/// The chunk size we announce and the one of all bytes shared by viewers. Larger is cheaper (fewer headers). Adobe's
/// 2009 text, which old players were built on, ends at 65,536, and SRS has sent 60,000 to ffmpeg, VLC, librtmp,
/// WeChat and Flash for ten years, so that is what stock players are known to take.
pub const CHUNK_BYTES_OUT: u32 = 60_000;

/// Bytes of one command message. The largest real `connect`, with codec maps and tokens, has about 2 KB.
pub const COMMAND_BYTES_MAX: usize = 64 << 10;

/// Commands in one [`COMMAND_WINDOW`]. Setting up takes ten, a player seeking wildly five a second.
pub const COMMANDS_MAX: u32 = 200;

/// The time over which [`COMMANDS_MAX`] counts.
pub const COMMAND_WINDOW: Duration = Duration::from_secs(10);

/// Messages in one aggregate (§7.1.6). Servers that write them pack at most a few seconds.
pub const AGGREGATE_MESSAGES_MAX: usize = 4_096;

/// Bytes of answers the peer has not made room for. Pings and commands are answered; a peer that asks and never reads
/// must not make us queue the answers.
pub const OUTPUT_BYTES_MAX: usize = 256 << 10;

/// Media held back while a publish request waits for its verdict, from encoders that do not wait for ours.
pub const UNDECIDED_BYTES_MAX: usize = 4 << 20;

/// Bytes of `{app}/{stream}` after decoding. 4 kB names are attacks; a UUID in each of four segments fits.
pub const NAME_BYTES_MAX: usize = 255;

/// Bytes of the raw query of a name, which carries signed addresses and JSON web tokens.
pub const QUERY_BYTES_MAX: usize = 4_096;

/// Bytes kept of each descriptive string of `connect`.
pub const PEER_TEXT_BYTES_MAX: usize = 256;

/// Four-character codes kept of a peer's lists. E-RTMP v2 defines twelve.
pub const FOURCCS_MAX: usize = 16;

/// The acknowledgement window we announce (§5.4.4) and assume until a peer announces its own: what FMS and its
/// successors use.
pub const ACK_WINDOW: u32 = 2_500_000;

/// The smallest window of a peer that we follow, so that it cannot ask for an answer to every byte.
pub const ACK_WINDOW_MIN: u32 = 4_096;
