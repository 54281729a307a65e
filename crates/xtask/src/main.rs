//! `cargo xtask COMMAND`: the chores that are Rust rather than shell.

use std::path::Path;
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask tidy       crate edges, banned names, sizes, headers
cargo xtask clip       the demo clip, crates/server/assets/demo.flv
cargo xtask picture N  picture N of it as picture.ppm, to look at
cargo xtask fixtures   tests/fixtures, by FFmpeg 7.1 or newer
cargo xtask soak MINUTES [SEED]   load with random faults on OPENMIC_BIN
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["tidy"] => tidy(),
        ["clip"] => xtask::clip::make(&xtask::tidy::root().join("crates/server/assets/demo.flv")),
        ["fixtures"] => xtask::fixtures::make(&xtask::tidy::root().join("tests/fixtures")),
        ["soak", minutes] => soak(minutes, &std::process::id().to_string()),
        ["soak", minutes, seed] => soak(minutes, seed),
        ["picture", frame] => picture(frame),
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn tidy() -> anyhow::Result<()> {
    let problems = xtask::tidy::check(&xtask::tidy::root())?;
    for problem in &problems {
        eprintln!("{problem}");
    }
    anyhow::ensure!(problems.is_empty(), "{} problems", problems.len());
    Ok(())
}

fn picture(frame: &str) -> anyhow::Result<()> {
    xtask::clip::picture(frame.parse()?, Path::new("picture.ppm"))
}

fn soak(minutes: &str, seed: &str) -> anyhow::Result<()> {
    xtask::soak::run(minutes.parse()?, seed.parse()?)
}
