//! `openmic doctor`: looks at what a server with this configuration would meet on this machine, and says what to do.

mod files;
mod finding;
mod network;
mod owner;
mod system;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use server::Config;

use finding::{Finding, Level};

/// The configuration is read as `openmic serve` reads it, from the file and the environment.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// TOML configuration
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the findings as one JSON array
    #[arg(long)]
    json: bool,
}

/// Prints every finding; fails if one of them keeps the server from working.
pub(crate) fn run(args: &DoctorArgs) -> ExitCode {
    let findings = examine(args);
    match args.json {
        true => println!("{}", serde_json::Value::from_iter(findings.iter().map(Finding::to_json))),
        false => findings.iter().for_each(|finding| println!("{finding}")),
    }
    match findings.iter().any(|finding| finding.level == Level::Wrong) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

fn examine(args: &DoctorArgs) -> Vec<Finding> {
    let mut findings = Vec::new();
    let config = configuration(args, &mut findings);
    if let Some(config) = &config {
        findings.extend(network::ports(config));
        findings.extend(network::reach(config));
        findings.push(files::access(config));
        findings.extend(files::tls(config));
        findings.push(files::data(config));
        findings.push(files::ffmpeg(config));
    }
    // What is wrong with the machine is so whatever the file says.
    let config = config.unwrap_or_default();
    findings.push(system::clock());
    findings.push(system::open_files(&config));
    findings.push(system::memory(&config));
    findings.extend(system::kernel(&config));
    findings
}

fn configuration(args: &DoctorArgs, findings: &mut Vec<Finding>) -> Option<Config> {
    let loaded = match Config::load(args.config.as_deref(), std::env::vars()) {
        Ok(loaded) => loaded,
        Err(error) => {
            findings.push(Finding::wrong(
                "configuration",
                error.to_string(),
                "correct it; openmic.example.toml has every key",
            ));
            return None;
        }
    };
    for name in loaded.unknown_variables {
        let what = format!("the environment variable {name} names no section of the configuration");
        findings.push(Finding::doubt(
            "configuration",
            what,
            "correct its name or take it away: it is ignored",
        ));
    }
    match loaded.config.check() {
        Ok(()) => {
            let from = args.config.as_ref().map_or("the defaults".into(), |path| path.display().to_string());
            findings.push(Finding::good("configuration", format!("{from} can be used")));
            Some(loaded.config)
        }
        Err(invalid) => {
            findings.push(Finding::wrong(
                "configuration",
                invalid.to_string(),
                "correct it; the server would not start",
            ));
            None
        }
    }
}
