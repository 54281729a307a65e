//! Rungs are put into the configuration of a running server, and taken out again.

use std::sync::{Arc, Mutex};

use e2e::rtmp::{PATIENCE, Viewer};
use server::config::Rung;
use server::{App, Config};

use super::stage::{H264, publish, serve, size, watch};

const MADE: &str = "/live/x.flv?rendition=64p";

/// A server whose configuration is what is written here, as if it were a file.
async fn serve_written() -> (App, Arc<Mutex<Config>>) {
    let app = serve(|config| {
        config.transcode.ffmpeg = "".into();
        config.ladder.rungs.clear();
    })
    .await;
    let written = Arc::new(Mutex::new((*app.context().config()).clone()));
    let source = Arc::clone(&written);
    app.context().set_source(Box::new(move || Ok(source.lock().expect("nobody panicked").clone())));
    (app, written)
}

async fn reload(app: &App, written: &Mutex<Config>, rungs: &[Rung]) {
    written.lock().expect("nobody panicked").ladder.rungs = rungs.to_vec();
    let context = app.context().clone();
    let reloaded = tokio::task::spawn_blocking(move || context.reload()).await.expect("no panic");
    assert_eq!(reloaded.expect("a good one").changed, ["ladder.rungs"]);
}

async fn head(app: &App) -> String {
    Viewer::watch_target(app.addresses().http, MADE).await.head
}

#[tokio::test]
async fn rungs_are_there_after_a_reload_and_who_watches_one_that_is_taken_out_goes_on() {
    let (app, written) = serve_written().await;
    let live = publish(&app, H264, 2).await;
    assert!(head(&app).await.starts_with("HTTP/1.1 404"));

    reload(&app, &written, &[Rung { height: 64, kbps: 100 }]).await;
    assert_eq!(size(&watch(&app, MADE).await), (86, 64));
    let mut there = Viewer::watch_target(app.addresses().http, MADE).await;
    there.frame().await.expect("it is made");

    reload(&app, &written, &[]).await;
    assert!(head(&app).await.starts_with("HTTP/1.1 404"));
    for _ in 0..50 {
        there.frame().await.expect("nobody who is there is cut off");
    }
    live.end().await;
    assert!(app.shutdown(PATIENCE).await, "every session ended by itself");
}
