//! The `ffmpeg` child process behind every clip and fixture.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::{Command, Stdio};

use anyhow::Context;

/// Runs ffmpeg (or what `OPENMIC_FFMPEG` names) with bit-exact output, overwriting what is there.
///
/// # Errors
/// When it cannot be started or fails.
pub fn run(arguments: &[OsString]) -> anyhow::Result<()> {
    run_with_input(arguments, |_| Ok(()))
}

/// The same, with `feed` writing its standard input.
///
/// # Errors
/// When it cannot be started, does not take its input, or fails.
pub fn run_with_input(
    arguments: &[OsString],
    feed: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> anyhow::Result<()> {
    let program = std::env::var_os("OPENMIC_FFMPEG").unwrap_or_else(|| "ffmpeg".into());
    let (output, before) = arguments.split_last().context("no output named")?;
    let mut child = Command::new(&program)
        .args(["-hide_banner", "-loglevel", "error", "-y"])
        .args(before)
        .args(["-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact", "-threads", "1"])
        .arg(output)
        // The AV1 encoder logs past ffmpeg's level.
        .env("SVT_LOG", "1")
        .stdin(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {}", program.display()))?;
    let mut input = child.stdin.take().expect("stdin was asked for");
    let fed = feed(&mut input);
    drop(input);
    let status = child.wait()?;
    anyhow::ensure!(status.success(), "{} failed: {status}", program.display());
    fed.context("writing to ffmpeg")
}
