//! The weak-network lab: the link that it makes is the one that was asked for.

use client::lab::network::{Direction, check};
use client::link::Impairment;

#[test]
fn a_link_of_thirty_percent_and_a_hundred_milliseconds_is_made_and_proved() {
    let asked = Impairment { loss: 30.0, delay_ms: 100, ..Impairment::default() };
    let proofs = check(&asked, 1).expect("this machine lets root make networks and TUN devices");
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
