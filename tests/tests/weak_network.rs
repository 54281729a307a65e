//! The weak-network lab: the link that it makes is the one that was asked for, and Chromium behind it gets through.

use std::path::PathBuf;
use std::time::Duration;

use client::lab::network::scenario::{BUILT_IN, Scenarios};
use client::lab::network::{self, Direction, Options, Subject};
use client::link::Impairment;

/// Scenarios, and the pictures a second that are seen at least: well below what docs/benchmarks.md tells (29.1, 27.8 and 29.1), for a
/// machine that does other things, too, and above what browsers left to themselves reach (12.7, 7.6 and 19.9).
const ROWS: [(&str, f64); 3] = [("loss-10", 20.0), ("loss-30", 16.0), ("burst-5", 22.0)];
const KBPS_MIN: f64 = 300.0;
const STOI_MIN: f64 = 0.7;

#[test]
fn a_link_of_thirty_percent_and_a_hundred_milliseconds_is_made_and_proved() {
    let asked = Impairment { loss: 30.0, delay_ms: 100, ..Impairment::default() };
    let proofs = network::check(&asked, 1).expect("this machine lets root make networks and TUN devices");
    assert_eq!(
        proofs.iter().map(|proof| proof.direction).collect::<Vec<_>>(),
        [Direction::Up, Direction::Down]
    );
    for proof in proofs {
        let found = &proof.found;
        assert!((found.loss - 30.0).abs() < 5.0 && (99.0..113.0).contains(&found.delay_ms), "{proof:?}");
    }
    let devices = std::fs::read_to_string("/proc/net/dev").expect("Linux tells its devices");
    assert!(!devices.contains("openmic"), "nothing of it was ever in the machine's own network");
}

/// `OPENMIC_BIN`, or what `cargo build` made last.
fn openmic() -> PathBuf {
    if let Some(named) = std::env::var_os("OPENMIC_BIN") {
        return named.into();
    }
    let test = std::env::current_exe().expect("this test is a program");
    test.ancestors().nth(2).expect("it lies in target/debug/deps").join("openmic")
}

/// Whether a process runs that was started with this in its command line.
fn runs(with: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("Linux tells its processes");
    processes.filter_map(Result::ok).any(|process| {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(with)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chromium_behind_loss_and_bursts_is_seen_and_heard_and_nothing_is_left_behind() {
    let rows = ROWS.map(|(name, _)| name.to_owned());
    let options = Options {
        server: openmic(),
        browser: "chromium".into(),
        scenarios: Scenarios::choose(Scenarios::parse(BUILT_IN).unwrap(), &rows).unwrap(),
        direction: Direction::Up,
        seeds: 1,
        span: Duration::from_secs(10),
        subject: Subject::Ours,
        simulcast: false,
        size: (640, 360),
        fps: 30,
        delay_ms: 50,
    };
    let report = network::run(&options, |_, _| {}).await.expect("networks, server and browsers are here");
    let ours = format!("openmic-lab-{}-", std::process::id());
    let left = std::fs::read_dir(std::env::temp_dir()).unwrap().filter_map(Result::ok);
    let left: Vec<_> = left.filter(|entry| entry.file_name().to_string_lossy().starts_with(&ours)).collect();
    assert!(left.is_empty() && !runs(&ours), "{left:?}");

    assert_eq!(report.outcomes.len(), rows.len());
    for outcome in &report.outcomes {
        let [run] = &outcome.runs[..] else { panic!("one seed: {:?}", outcome.runs) };
        let name = &outcome.scenario.name;
        let (_, fps_min) =
            ROWS.into_iter().find(|(row, _)| row == name).expect("one of those that were asked for");
        let figures = run.figures.as_ref().unwrap_or_else(|| panic!("{name}: {:?}", run.error));
        let lost = run.proofs.iter().find(|proof| proof.direction == Direction::Up).unwrap().found.loss;
        assert!(lost > 4.0, "{name}: the link loses {lost} %");
        assert!(figures.picture.fps >= fps_min, "{name}: {figures:?}");
        assert!(figures.network.kbps.is_some_and(|kbps| kbps >= KBPS_MIN), "{name}: {figures:?}");
        assert!(figures.sound.stoi.is_some_and(|stoi| stoi >= STOI_MIN), "{name}: {figures:?}");
        assert!(
            figures.picture.delay_p50_ms.is_some_and(|ms| (50.0..2_000.0).contains(&ms)),
            "{name}: {figures:?}"
        );
        assert_eq!((figures.session.again, figures.session.used.as_deref()), (0, Some("whep")), "{name}");
        assert!(!run.timeline.gaps.is_empty() && !run.timeline.stoi.is_empty(), "{name}");
    }
}
