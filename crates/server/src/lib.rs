//! Sockets, files, configuration and HTTP: the only crate that knows tokio on the serving side.

pub mod app;
pub mod audience;
pub mod config;
pub mod context;
pub mod egress;
pub mod http;
pub mod socket;

pub use app::App;
pub use config::Config;
