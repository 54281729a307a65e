//! `openmic bench`: what a viewer costs, as a multiple of the least it could cost, measured in one run.
//!
//! Server and floor run as children pinned to one core; publishers and viewers live in this process on another.
//! docs/benchmarks.md says what the figures mean.

mod class;
mod connection;
pub mod floor;
mod idle;
mod idle_tls;
pub mod load;
pub mod measure;
pub mod nginx;
mod pictures;
pub mod process;
pub mod publisher;
pub mod report;
pub mod scenario;
pub mod source;
pub mod subject;
pub mod target;
pub mod viewer;
mod whep;
