//! What the bridge makes of browsers that mute a microphone or stop a camera.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;

use media::codec::{h264, opus};
use media::hub::{Hub, Options, Takeover};

use super::*;

const PICTURE: TrackId = TrackId(0);
const SOUND: TrackId = TrackId(1);
/// An IDR slice.
const SLICE: &[u8] = &[0, 0, 0, 2, 0x65, 0x88];
/// 160×90, as x264 writes it.
const AVCC: [u8; 48] = [
    1, 100, 0, 11, 255, 225, 0, 28, 103, 100, 0, 11, 172, 180, 20, 35, 242, 224, 45, 64, 64, 64, 80, 0, 0, 3,
    0, 16, 0, 0, 3, 3, 32, 241, 66, 170, 1, 0, 5, 104, 239, 4, 114, 192, 253, 248, 248, 0,
];

/// A publisher of H.264 and Opus, and a bridge over it.
fn bridged() -> (Producer, Bridge, Broadcast) {
    let options = Options { grace: TICK, broadcasts_max: 1, ring_bytes_max: 1 << 20 };
    let path = media::Path::new("live/x").unwrap();
    let producer = Hub::new(options).claim(&path, Takeover::Newest, Instant::now()).unwrap();
    let picture = Codec::H264(h264::Params::from_config(&AVCC.to_vec().into()).unwrap());
    producer.set_codec(PICTURE, picture, None).unwrap();
    producer.set_codec(SOUND, Codec::Opus(opus::Params::simple(2)), None).unwrap();
    let source = producer.broadcast();
    let bridge = Bridge(Remade::new(&source));
    (producer, bridge, source)
}

fn write(producer: &Producer, track: TrackId, ms: i64) {
    let dts = Timestamp::from_millis(ms);
    let payload = match track {
        PICTURE => SLICE.into(),
        _ => av::silence(&Codec::Opus(opus::Params::simple(2))).unwrap(),
    };
    // One keyframe at the beginning, so that a reader begins there.
    let sync = track == SOUND || ms == 0;
    producer.write(track, Frame { dts, cts: Span::ZERO, sync, payload }).unwrap();
}

/// Lets the bridge run until it has filled what there was to fill, and reads the times of one track.
async fn times(source: &Broadcast, bridge: &Bridge, wanted: TrackId) -> Vec<i64> {
    times_with(source, bridge, wanted, || ()).await
}

/// The same with something else that happens after that, and is carried too.
async fn times_with(source: &Broadcast, bridge: &Bridge, wanted: TrackId, then: impl FnOnce()) -> Vec<i64> {
    let mut reader = bridge.0.derived().broadcast().read(Selection::All);
    let mut carrying = pin!(carry(source, bridge));
    drop(tokio::time::timeout(TICK * 3, &mut carrying).await);
    then();
    drop(tokio::time::timeout(TICK * 3, &mut carrying).await);
    let mut seen = Vec::new();
    poll_fn(|cx| {
        while let Poll::Ready(Some(event)) = reader.poll_next(cx) {
            if let Event::Frame { track, frame, .. } = event
                && track == wanted
            {
                seen.push(frame.dts.millis());
            }
        }
        Poll::Ready(())
    })
    .await;
    seen
}

#[tokio::test(start_paused = true)]
async fn a_muted_microphone_is_filled_with_silence_that_keeps_up_with_the_picture() {
    let (producer, bridge, source) = bridged();
    write(&producer, PICTURE, 0);
    for n in 0..20 {
        write(&producer, SOUND, n * 20);
    }
    write(&producer, PICTURE, 3_000);
    let sound = times(&source, &bridge, SOUND).await;
    assert!(sound.last().is_some_and(|last| *last > 3_000 - 300), "{sound:?}");
    assert!(sound.windows(2).all(|pair| (20..=22).contains(&(pair[1] - pair[0]))), "{sound:?}");
}

#[tokio::test(start_paused = true)]
async fn sound_that_was_only_late_does_not_go_back_into_the_silence_in_its_place() {
    let (producer, bridge, source) = bridged();
    write(&producer, PICTURE, 0);
    for n in 0..20 {
        write(&producer, SOUND, n * 20);
    }
    write(&producer, PICTURE, 1_000);
    let sound = times_with(&source, &bridge, SOUND, || {
        for n in 20..100 {
            write(&producer, SOUND, n * 20);
        }
    });
    let sound = sound.await;
    assert!(sound.last().is_some_and(|last| *last > 1_900), "{sound:?}");
    assert!(sound.windows(2).all(|pair| (1..=43).contains(&(pair[1] - pair[0]))), "{sound:?}");
}

#[tokio::test(start_paused = true)]
async fn a_camera_that_is_off_leaves_its_last_keyframe_to_be_seen() {
    let (producer, bridge, source) = bridged();
    write(&producer, PICTURE, 0);
    for n in 0..100 {
        write(&producer, SOUND, n * 20);
    }
    assert_eq!(times(&source, &bridge, PICTURE).await, [0, 99 * 20 - 200]);
}
