//! Addresses, refusals, and the pace against a server on virtual time.

use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use wire::rtmp::server::{Config, Event, Session};

use super::*;

fn names(url: &str, copies: usize) -> Vec<String> {
    addresses(url, copies).unwrap().iter().map(Url::to_string).collect()
}

#[test]
fn copies_are_numbered_by_the_placeholder_or_behind_the_name() {
    assert_eq!(names("rtmp://h/live/a?k=1", 1), ["rtmp://h/live/a?k=1"]);
    assert_eq!(names("rtmp://h/live/a?k=1", 2), ["rtmp://h/live/a-1?k=1", "rtmp://h/live/a-2?k=1"]);
    assert_eq!(names("rtmp://h/live/{n}/x", 2), ["rtmp://h/live/1/x", "rtmp://h/live/2/x"]);
}

#[test]
fn only_rtmp_addresses_with_both_names_can_be_pushed_to() {
    assert!(addresses("http://h/live/a", 1).is_err());
    assert!(addresses("rtmp://h/live", 1).is_err());
}

#[tokio::test]
async fn what_is_neither_flv_nor_mp4_is_refused_with_the_remedy() {
    let path = std::env::temp_dir().join(format!("openmic-push-{}.avi", std::process::id()));
    std::fs::write(&path, b"RIFF\0\0\0\0AVI LIST").unwrap();
    let error = read_file(&path).await.unwrap_err().to_string();
    std::fs::remove_file(&path).unwrap();
    assert!(error.contains("remedy: ffmpeg -i"), "{error}");
}

type Arrivals = Arc<Mutex<Vec<(Duration, u32, Vec<u8>)>>>;

/// A server that accepts any publisher and notes when which media came.
async fn serve(mut socket: DuplexStream, start: Instant, arrivals: Arrivals) {
    let now = std::time::Instant::now();
    let mut session = Session::new(now, Arc::new(Config::default()), 1);
    let mut buffer = vec![0; 4_096];
    loop {
        while let Some(bytes) = session.poll_transmit() {
            // A publisher that has said goodbye does not wait for the answer.
            let _ = socket.write_all(&bytes).await;
        }
        let len = socket.read(&mut buffer).await.unwrap();
        if len == 0 {
            return;
        }
        session.handle_input(now, &buffer[..len]).unwrap();
        while let Some(event) = session.poll_event() {
            match event {
                Event::PublishRequested { .. } => assert!(session.accept_publish(now)),
                Event::Media(media) => {
                    arrivals.lock().unwrap().push((
                        start.elapsed(),
                        media.timestamp_ms,
                        media.payload.to_vec(),
                    ));
                }
                _ => {}
            }
        }
    }
}

fn copy(tags: Vec<Tag>, options: Options) -> Copy {
    let url = Url::parse("rtmp://h/live/a").unwrap();
    Copy {
        schedule: Arc::new(Schedule::new(tags).unwrap()),
        cursor: Cursor::default(),
        options,
        url,
        report: Report::default(),
        sequence: 0,
    }
}

fn options(looped: bool, stamp: bool) -> Options {
    Options {
        file: PathBuf::new(),
        url: String::new(),
        looped,
        copies: 1,
        insecure: false,
        reconnect: None,
        stamp,
    }
}

fn pictures() -> Vec<Tag> {
    let picture = |n: u32| Tag {
        kind: TagKind::Video,
        timestamp_ms: 5_000 + n * 40,
        body: Bytes::from(vec![if n == 0 { 0x17 } else { 0x27 }, 1, 0, 0, 0, 0, 0, 0, 2, 0x65, n as u8]),
    };
    (0..5).map(picture).collect()
}

/// Pushes until the file's end, or for `span`.
async fn pushed(options: Options, span: Duration) -> (Vec<(Duration, u32, Vec<u8>)>, Report) {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let arrivals = Arrivals::default();
    let mut copy = copy(pictures(), options);
    let server = tokio::spawn(serve(theirs, Instant::now(), arrivals.clone()));
    let mut rtmp = Rtmp::over(Box::new(ours), &copy.url, Purpose::Publish).await.unwrap();
    let (ask, mut stop) = watch::channel(false);
    let start = Instant::now();
    tokio::spawn(async move {
        tokio::time::sleep_until(start + span).await;
        ask.send(true).unwrap();
        ask.closed().await;
    });
    copy.send_all(&mut rtmp, start, &mut stop, false).await.unwrap();
    rtmp.finish().await.unwrap();
    server.await.unwrap();
    let arrivals = arrivals.lock().unwrap().clone();
    (arrivals, copy.report)
}

#[tokio::test(start_paused = true)]
async fn each_tag_is_sent_at_its_time_and_the_file_ends() {
    let (arrivals, report) = pushed(options(false, false), Duration::from_secs(60)).await;
    let stamps: Vec<u32> = arrivals.iter().map(|(_, stamp, _)| *stamp).collect();
    assert_eq!(stamps, [0, 40, 80, 120, 160]);
    for (at, stamp, _) in &arrivals {
        let late = at.as_millis() as i64 - i64::from(*stamp);
        assert!((0..=2).contains(&late), "{stamp} came at {at:?}");
    }
    assert_eq!((report.frames, report.bytes), (5, 55));
}

#[tokio::test(start_paused = true)]
async fn a_loop_goes_on_without_a_gap_until_it_is_stopped() {
    let (arrivals, _) = pushed(options(true, false), Duration::from_millis(590)).await;
    let stamps: Vec<u32> = arrivals.iter().map(|(_, stamp, _)| *stamp).collect();
    assert_eq!(stamps, (0..15).map(|n| n * 40).collect::<Vec<u32>>());
}

#[tokio::test(start_paused = true)]
async fn stamps_are_numbered_without_gaps_and_leave_the_picture_as_it_is() {
    let (arrivals, _) = pushed(options(false, true), Duration::from_secs(60)).await;
    for (number, (_, _, body)) in arrivals.iter().enumerate() {
        assert_eq!(Stamp::find(body).unwrap().sequence, number as u64);
        assert!(body.ends_with(&[0, 0, 0, 2, 0x65, number as u8]));
    }
}
