//! Credentials of a query and a header: nothing makes reading them panic, and nothing that was not signed lets in.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use server::access::jwt::Verifier;
use server::access::keys::{Keys, Kind};
use server::access::signed::{Subject, check_auth};
use server::access::{Credentials, Path, Secret};
use server::config::{Access, Network};
use server::sessions::Action;

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::generate(1).0);
static VERIFIER: LazyLock<Verifier> =
    LazyLock::new(|| Verifier::new(&Access::default(), &KEYS).expect("keys of ours"));
static PATH: LazyLock<Path> = LazyLock::new(|| Path::new("live/a").expect("a path"));
/// The publish key of another server, under which the seeds are signed.
static THEIRS: LazyLock<Secret> = LazyLock::new(|| "69e0daf7234b01f257a7adb9f807ae9f".to_owned().into());

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (query, bearer) = text.split_once('\n').unwrap_or((text, ""));
    let credentials = Credentials::of(query, Some(bearer));
    assert!(KEYS.of(Kind::Publish).count() == 1);
    let subject = Subject { action: Action::Publish, path: &PATH };
    for token in credentials.tokens.into_iter().flatten() {
        // Another key, so that a seed's right signature is reached, and a mutation of it is seen to be wrong.
        if check_auth(token, [&*THEIRS].into_iter(), subject, 0).is_ok() {
            assert_eq!(token, "v1.579acb15.ptjrjRrszxCaXBh0ZgpbYREgBdmf2L-IW4V59yInkfg");
        }
        assert!(VERIFIER.verify(token, 0).is_err(), "nobody has the key");
    }
    if let Some(tx) = credentials.tx {
        let _ = tx.check([&*THEIRS].into_iter(), "a", 0);
        assert!(tx.check(std::iter::empty(), "a", 0).is_err());
    }
    if let Ok(network) = text.parse::<Network>() {
        assert_eq!(network.to_string().parse(), Ok(network));
    }
});
