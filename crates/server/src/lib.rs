//! Sockets, files, configuration and HTTP: the only crate that knows tokio on the serving side.
