//! The other end of every protocol: publisher, player and load generator.
