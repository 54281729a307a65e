//! Whole MP4 files: no input panics, and no payload reaches beyond the file.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wire::fmp4::File;

fuzz_target!(|data: &[u8]| {
    let Ok(file) = File::parse(&Bytes::copy_from_slice(data)) else { return };
    let mut last = None;
    for entry in file.frames().take(10_000).flatten() {
        assert!(last <= Some(entry.frame.dts));
        last = Some(entry.frame.dts);
    }
});
