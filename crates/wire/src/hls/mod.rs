//! HLS (draft-pantos-hls-rfc8216bis): segments, parts and playlists of one broadcast, for Low-Latency and
//! plain players alike.
//!
//! [`Packager`] takes frames and answers for playlists, parts, segments and init segments. It never waits:
//! what is not there yet is [`Answer::NotYet`], and [`Packager::version`] says when to ask again.

mod cut;
mod merge;
mod multivariant;
mod packager;
mod playlist;
mod request;
mod store;

#[cfg(test)]
mod tests;

pub use multivariant::{Variant, multivariant};
pub use packager::{Answer, Mark, Options, Packager, Report, TrackKey, UnixMicros};
pub use request::{
    Directives, DirectivesError, Position, Resource, SESSION_BYTES_MAX, is_session, media_uri, rendition_uri,
};
