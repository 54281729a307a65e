//! Messages that travel in step with picture and sound.

/// What the payloads of a data track are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// AMF0 values of an FLV script tag, beginning with the name (`onMetaData`, `onTextData`, …).
    Amf0,
    /// One SEI NAL unit of the video track's codec, header included, without a length prefix.
    /// Its `pts` is that of the picture that carried it. (WeChat's `sendMessage` is SEI.)
    Sei,
}

impl Format {
    /// The name people use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Amf0 => "AMF0 script data",
            Self::Sei => "SEI",
        }
    }
}
