//! Why a track cannot be converted.

/// Why a track cannot be converted, or no longer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The source is of a codec that this conversion does not take.
    #[error("{codec} cannot be converted to {target}")]
    Codec {
        /// The source's codec.
        codec: &'static str,
        /// What it should have become.
        target: &'static str,
    },
    /// The source's parameters are beyond what we convert.
    #[error("{codec} with {field} {value} cannot be converted")]
    Unsupported {
        /// The source's codec.
        codec: &'static str,
        /// The parameter.
        field: &'static str,
        /// Its value.
        value: u64,
    },
    /// This build leaves out the library that would be needed.
    #[error("this build has no {codec}: it was made without the feature `{feature}`")]
    LeftOut {
        /// The codec.
        codec: &'static str,
        /// The cargo feature that brings it.
        feature: &'static str,
    },
    /// A codec library refused what we asked of it.
    #[error("{codec}: {doing} failed: {reason}")]
    Library {
        /// The library's codec.
        codec: &'static str,
        /// What it was to do.
        doing: &'static str,
        /// What it said.
        reason: String,
    },
    /// So many packets in a row did not decode that the source is not what it claims to be.
    #[error("{codec}: {packets} packets in a row do not decode")]
    Broken {
        /// The source's codec.
        codec: &'static str,
        /// How many.
        packets: u32,
    },
}
