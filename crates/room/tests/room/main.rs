//! Rooms from outside: a scene plays the server and its clients, and checks after every step that they agree.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod flows;
mod hostile;
mod invariants;
mod messages;
mod rights;
mod scene;
