//! Fragmented MP4: init segments and media fragments for HLS.
