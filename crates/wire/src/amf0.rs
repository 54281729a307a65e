//! AMF0 values: the encoding of RTMP commands and FLV script data.
