//! Writing boxes: a size that is filled in when the body is known.

use bytes::{BufMut, BytesMut};

/// Appends a box of `kind` whose body `body` writes (ISO 14496-12 §4.2).
pub(super) fn write(out: &mut BytesMut, kind: &[u8; 4], body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u32(0);
    out.put_slice(kind);
    body(out);
    let size = u32::try_from(out.len() - start).expect("our boxes are bounded far below 4 GB");
    patch(out, start, size);
}

/// Appends a full box: one with a version and 24 bits of flags.
pub(super) fn write_full(
    out: &mut BytesMut,
    kind: &[u8; 4],
    (version, flags): (u8, u32),
    body: impl FnOnce(&mut BytesMut),
) {
    write(out, kind, |out| {
        out.put_u32(u32::from(version) << 24 | flags & 0xff_ffff);
        body(out);
    });
}

/// Overwrites the four bytes at `at`, which must have been written already.
pub(super) fn patch(out: &mut BytesMut, at: usize, value: u32) {
    out[at..at + 4].copy_from_slice(&value.to_be_bytes());
}
