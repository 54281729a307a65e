//! FLV tags and files: the container of RTMP, HTTP-FLV and WebSocket-FLV.
