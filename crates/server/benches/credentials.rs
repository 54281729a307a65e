//! Whether the duration of a refusal tells how much of a credential was right: `cargo bench -p server --bench credentials`.
//!
//! Two classes of wrong credentials, one wrong in its first character and one in its last, are refused in random order; Welch's
//! t-test compares how long that takes. Beyond 4.5, the usual bound of such tests, the classes can be told apart.

use std::hint::black_box;
use std::time::Instant;

use server::access::jwt::{self, Grant, Scope};
use server::access::keys::Keys;
use server::access::signed::{Subject, Tx, check_auth};
use server::access::{Path, Secret, now};
use server::sessions::Action;

const SAMPLES: usize = 400_000;
/// The slowest samples are interrupts and not comparisons.
const KEPT: f64 = 0.95;
const TELLS: f64 = 4.5;

fn main() {
    let (keys, _) = Keys::generate(now());
    let path = Path::new("live/a").expect("well-formed");
    let at = now();
    let verifier = jwt::Verifier::new(&server::Config::default().access, &keys).expect("keys of ours");
    let grant = Grant { scope: vec![Scope::Play], path: None, app: None, sub: None, exp: at + 600 };
    let token = jwt::make(&keys, "openmic", &grant).expect("a key of each kind");
    compare("JWT", &token, token.rfind('.').expect("three parts") + 1, |wrong| {
        black_box(verifier.verify(wrong, at)).is_err()
    });
    let secrets: [Secret; 1] = ["69e0daf7234b01f257a7adb9f807ae9f".to_owned().into()];
    let auth = "v1.579acb15.ptjrjRrszxCaXBh0ZgpbYREgBdmf2L-IW4V59yInkfg";
    let subject = Subject { action: Action::Publish, path: &path };
    assert_eq!(check_auth(auth, secrets.iter(), subject, 0), Ok(()));
    compare("auth=", auth, auth.rfind('.').expect("three parts") + 1, |wrong| {
        black_box(check_auth(wrong, secrets.iter(), subject, 0)).is_err()
    });
    let stream = "8888_123456";
    let right = "d11db8a63c4f20517144fceb533cb4a7";
    compare("txSecret", right, 0, |wrong| {
        let tx = Tx { secret: wrong, time: "57D54927" };
        black_box(tx.check(secrets.iter(), stream, 0)).is_err()
    });
}

/// `refuses` is given `right` with one character changed, at `first` or nearly at the end.
fn compare(what: &str, right: &str, first: usize, refuses: impl Fn(&str) -> bool) {
    // The last character of base64 may hold bits that nobody reads.
    let classes = [first, right.len() - 2].map(|place| changed(right, place));
    let mut random = fastrand::Rng::with_seed(7);
    let mut took = [Vec::with_capacity(SAMPLES), Vec::with_capacity(SAMPLES)];
    for _ in 0..SAMPLES {
        let class = usize::from(random.bool());
        let began = Instant::now();
        assert!(refuses(&classes[class]), "{what}: it is wrong");
        took[class].push(began.elapsed().as_nanos() as f64);
    }
    let t = welch(&took.map(without_interrupts));
    let verdict = if t.abs() < TELLS { "the classes cannot be told apart" } else { "IT TELLS" };
    println!("{what}: t = {t:.2} over {SAMPLES} refusals: {verdict}");
}

fn changed(text: &str, place: usize) -> String {
    let mut bytes = text.as_bytes().to_vec();
    bytes[place] = if bytes[place] == b'0' { b'1' } else { b'0' };
    String::from_utf8(bytes).expect("ASCII")
}

fn without_interrupts(mut samples: Vec<f64>) -> Vec<f64> {
    samples.sort_by(f64::total_cmp);
    samples.truncate((samples.len() as f64 * KEPT) as usize);
    samples
}

fn welch([one, other]: &[Vec<f64>; 2]) -> f64 {
    let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64;
    let spread = |all: &[f64], mean: f64| {
        all.iter().map(|each| (each - mean).powi(2)).sum::<f64>() / (all.len() - 1) as f64 / all.len() as f64
    };
    let (a, b) = (mean(one), mean(other));
    (a - b) / (spread(one, a) + spread(other, b)).sqrt()
}
