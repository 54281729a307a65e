//! The command line of openmic: each subcommand is a file.

#[cfg(target_os = "linux")]
mod bench;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
#[command(name = "openmic", version, about = "Live streaming that anyone in the audience can join")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure what viewers cost.
    #[cfg(target_os = "linux")]
    #[command(subcommand)]
    Bench(bench::Bench),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        #[cfg(target_os = "linux")]
        Command::Bench(what) => bench::run(what),
    }
}
