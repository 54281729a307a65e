//! Sockets, files, configuration and HTTP: the only crate that knows tokio on the serving side.

mod accept;
pub mod access;
pub mod app;
pub mod audience;
pub mod audit;
mod bridge;
pub mod config;
pub mod context;
pub mod counters;
pub mod demo;
pub mod derived;
pub mod egress;
mod encoders;
mod guard;
pub mod hooks;
pub mod http;
pub mod ingest;
pub mod interfaces;
pub mod operation;
pub mod outbound;
pub mod private;
pub mod reload;
mod remade;
pub mod rtc;
pub mod rtmp;
pub mod sessions;
pub mod shed;
pub mod socket;
pub mod time;
pub mod tls;
mod transcode;
pub mod usage;

pub use app::App;
pub use config::Config;
pub use transcode::find_ffmpeg;
