//! The same by WebRTC: who names a rendition is sent that one.

use std::net::SocketAddr;
use std::time::Instant;

use e2e::http::send;
use e2e::recording::Kind;
use e2e::rtc::{Client, Offer, Options, SDP};
use media::{Packet, Timestamp};
use wire::rtp::{Depacketizer, Event, PayloadKind};

use super::stage::{H264, conversions, publish, serve};

async fn watch(app: &server::App, query: &str) -> Client {
    let offer = Offer::new(app.addresses().rtc, Options::WATCH).await;
    offer.post(app.addresses().http, &format!("/live/x/whep{query}")).await.start().await
}

/// Width and height of the first picture that comes.
async fn size(viewer: &mut Client) -> (u32, u32) {
    let mut pictures = Depacketizer::new(PayloadKind::H264);
    loop {
        let came = viewer.packet().await.expect("the session goes on");
        if came.kind == Kind::Video {
            let packet = Packet {
                at: Timestamp::from_micros(came.time as i64 * 100 / 9),
                sequence: came.sequence,
                marker: came.marker,
                discardable: false,
                payload: came.payload,
            };
            pictures.handle_packet(Instant::now(), &packet);
        }
        while let Some(event) = pictures.poll_event() {
            if let Event::Codec(codec) = event {
                return codec.resolution().expect("a picture has a size");
            }
        }
    }
}

async fn refusal(http: SocketAddr, app: &server::App, query: &str) -> u16 {
    let offer = Offer::new(app.addresses().rtc, Options::WATCH).await;
    send(http, "POST", &format!("/live/x/whep{query}"), &[SDP], offer.sdp.as_bytes()).await.status
}

#[tokio::test]
async fn who_names_a_rendition_is_sent_that_one_beside_those_who_name_none() {
    let app = serve(|config| config.transcode.ffmpeg = "".into()).await;
    let live = publish(&app, H264, 2).await;
    let (mut plain, mut made) = (watch(&app, "").await, watch(&app, "?rendition=64p").await);
    assert_eq!((size(&mut plain).await, size(&mut made).await), ((160, 120), (86, 64)));

    let mut sound = watch(&app, "?rendition=audio").await;
    for _ in 0..50 {
        assert_eq!(sound.packet().await.expect("the session goes on").kind, Kind::Audio);
    }
    assert_eq!(refusal(app.addresses().http, &app, "?rendition=65p").await, 404);
    assert!(conversions(&app).await.iter().any(|what| what.contains("64")));
    live.end().await;
}
