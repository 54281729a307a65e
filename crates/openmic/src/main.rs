//! The command line of openmic.

fn main() {}
