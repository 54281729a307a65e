//! RTMP, both ends: handshake, chunk streams, messages and the session above them.
