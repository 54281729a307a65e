//! Names and queries of HLS requests: what is read is written the same, and no request makes the packager panic.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use wire::hls::{Answer, Directives, Options, Packager, Resource, is_session, media_uri};

static EMPTY: LazyLock<Packager> = LazyLock::new(|| Packager::new(Options::default()));

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(resource) = Resource::parse(text) {
        assert_eq!(resource.to_string(), text);
        if let Resource::Part(position) = resource {
            assert!(!matches!(EMPTY.poll_part(position), Answer::Ready(_)));
        }
    }
    if let Ok(directives) = Directives::parse(text) {
        assert!(!matches!(EMPTY.poll_playlist(&directives), Answer::Ready(_)));
    }
    if is_session(text) {
        assert!(media_uri(text, text).is_ascii());
    }
});
