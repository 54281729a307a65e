//! WebSocket: the upgrade answer and the frames (RFC 6455) that WS-FLV needs.
