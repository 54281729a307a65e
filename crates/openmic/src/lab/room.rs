//! `openmic lab room`: its flags, and what is done with what it finds.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use client::lab::room::{self, Options};
use client::url::Url;

use super::{Own, span, write};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  openmic lab room --members 50                                  a class of fifty on a server of our own
  openmic lab room --url https://live.example --key KEY          twelve members on a server that runs
  openmic lab room --room maths --members 44 --stay 30           members for a room that people are in

The exit code is 0 when everybody heard and saw everybody else, and nobody itself; 2 when not; 1 when nothing could be
measured.")]
pub(crate) struct RoomArgs {
    /// An openmic server that runs already: http://HOST:PORT. One of our own is started if none is named.
    #[arg(long, value_name = "URL")]
    url: Option<Url>,
    /// Join this room instead of making one.
    #[arg(long, value_name = "ID", requires = "url")]
    room: Option<String>,
    /// A key for the server's API, which makes the room and the tokens of its members.
    #[arg(long, value_name = "KEY", env = "OPENMIC_API_KEY", hide_env_values = true)]
    key: Option<String>,
    /// How many members.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(2..=500))]
    members: u16,
    /// Seconds in which six speak and each looks at nine.
    #[arg(long, default_value_t = 3.0, value_parser = span)]
    turn: f64,
    /// How many cameras go off and on, and how many members lose their signalling.
    #[arg(long, default_value_t = 10)]
    disturbed: usize,
    /// Seconds that all stay when everything was measured.
    #[arg(long, default_value_t = 1.0, value_parser = span)]
    stay: f64,
    /// Accept any TLS certificate.
    #[arg(long)]
    insecure: bool,
    /// Write everything that was found to this file, as JSON; `-` writes it to the output instead of the table.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
}

/// Runs until everything is measured.
pub(super) async fn room(args: RoomArgs) -> anyhow::Result<()> {
    let (server, own) = match args.url {
        Some(url) => (url, None),
        None => {
            let own = Own::start().await?;
            (own.http.clone(), Some(own))
        }
    };
    let options = Options {
        server,
        room: args.room,
        key: args.key,
        members: args.members.into(),
        turn: Duration::from_secs_f64(args.turn),
        disturbed: args.disturbed,
        stay: Duration::from_secs_f64(args.stay),
        insecure: args.insecure,
    };
    let report = room::run(&options, |what| eprintln!("{what}")).await?;
    drop(own);
    let json = serde_json::to_string_pretty(&report).context("writing the report")?;
    match &args.json {
        Some(path) if path.as_os_str() == "-" => println!("{json}"),
        Some(path) => {
            print!("{}", report.table());
            write(path, &json)?;
        }
        None => print!("{}", report.table()),
    }
    if !report.is_whole() {
        std::process::exit(2);
    }
    Ok(())
}
