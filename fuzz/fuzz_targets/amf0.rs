//! AMF0: no input panics, and what was understood survives being written and read again.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use wire::amf0;

fuzz_target!(|data: &[u8]| {
    let Ok(values) = amf0::decode_all(data) else { return };
    let mut out = BytesMut::new();
    amf0::encode_all(&values, &mut out);
    let again = amf0::decode_all(&out).expect("what we write we read");
    // Compared as text: NaN is not equal to itself.
    assert_eq!(format!("{values:?}"), format!("{again:?}"));
});
