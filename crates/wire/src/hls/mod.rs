//! HLS: segments, parts and playlists of one broadcast, for Low-Latency and plain players alike.
