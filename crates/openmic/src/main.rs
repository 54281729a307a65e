//! The command line of openmic: each subcommand is a file.

#[cfg(target_os = "linux")]
mod bench;
mod doctor;
#[cfg(target_os = "linux")]
mod lab;
mod play;
mod push;
mod serve;
mod token;

use std::process::ExitCode;

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
    /// Run the server.
    Serve(Box<serve::Serve>),
    /// Make keys, signed addresses and tokens.
    Token(token::Token),
    /// Send a file to an RTMP server as a live stream.
    Push(push::PushArgs),
    /// Watch a stream and tell what it is like.
    Play(play::PlayArgs),
    /// Look at configuration and machine, and say what is wrong and what to do.
    Doctor(doctor::DoctorArgs),
    /// Measure what viewers cost.
    #[cfg(target_os = "linux")]
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Measure what viewers see.
    #[cfg(target_os = "linux")]
    #[command(subcommand)]
    Lab(lab::Lab),
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    // The server starts logs of its own.
    if !matches!(command, Command::Serve(_)) {
        tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::WARN).init();
    }
    let done = match command {
        Command::Push(args) => push::run(args),
        Command::Play(args) => play::run(args),
        #[cfg(target_os = "linux")]
        Command::Bench(what) => bench::run(what),
        #[cfg(target_os = "linux")]
        Command::Lab(what) => lab::run(what),
        Command::Doctor(args) => return doctor::run(&args),
        Command::Serve(serve) => serve::run(&serve),
        Command::Token(token) => token::run(&token),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("openmic: {why:#}");
            ExitCode::FAILURE
        }
    }
}
