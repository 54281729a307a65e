//! `openmic token`: makes the keys of a server, and addresses and tokens with them.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use clap::{ArgGroup, Args, Subcommand};
use server::Config;
use server::access::addresses::{Base, Obs, Signer};
use server::access::jwt::{self, Grant, RoomGrant, Scope};
use server::access::keys::{Keys, Kind, rooms};
use server::access::now;
use server::rooms::{Role, RoomId, UserId};
use server::sessions::Action;

use crate::serve::reachable;

/// A day, in which whoever has the former value can get the new one.
const KEEP_SECONDS: u64 = 86_400;
/// A hundred years: what is to last longer is a mistake in a unit.
const SECONDS_MAX: u64 = 100 * 365 * 86_400;

#[derive(Debug, Args)]
pub(crate) struct Token {
    /// TOML configuration of the server
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Where the server keeps its files
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,
    #[command(subcommand)]
    command: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make the keys of a server that has none.
    Init,
    /// Make a signed address, or a token of administration.
    Make(Make),
    /// Give a key a new value; the old one is accepted for a while.
    Rotate(Rotate),
    /// List the keys, without their values.
    List,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["publish", "play", "admin", "room"]))]
struct Make {
    /// Addresses to publish a stream at
    #[arg(long, value_name = "APP/STREAM")]
    publish: Option<String>,
    /// Addresses to watch a stream at
    #[arg(long, value_name = "APP/STREAM")]
    play: Option<String>,
    /// A token for the console and the API
    #[arg(long)]
    admin: bool,
    /// A token that lets a user into a room
    #[arg(long, value_name = "ROOM", requires = "user")]
    room: Option<String>,
    /// The user's id, as the application knows it
    #[arg(long, value_name = "ID", requires = "room")]
    user: Option<String>,
    /// What others in the room call the user
    #[arg(long, value_name = "NAME", requires = "room")]
    name: Option<String>,
    /// host, cohost or guest
    #[arg(long, value_name = "ROLE", requires = "room", value_parser = role, default_value = "guest")]
    role: Role,
    /// How long it is good for
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=SECONDS_MAX))]
    seconds: u64,
    /// The name by which clients reach the server; the first of http.hosts where it is not given
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
}

#[derive(Debug, Args)]
struct Rotate {
    /// The key, as `openmic token list` names it
    id: String,
    /// How long the old value is accepted; 0 where it is in wrong hands
    #[arg(long, value_name = "N", default_value_t = KEEP_SECONDS, value_parser = clap::value_parser!(u64).range(0..=SECONDS_MAX))]
    keep_seconds: u64,
}

fn role(text: &str) -> Result<Role, String> {
    match text {
        "host" => Ok(Role::Host),
        "cohost" => Ok(Role::Cohost),
        "guest" => Ok(Role::Guest),
        _ => Err("a role is host, cohost or guest".into()),
    }
}

pub(crate) fn run(token: &Token) -> anyhow::Result<()> {
    let mut config = Config::load(token.config.as_deref(), std::env::vars())?.config;
    if let Some(data) = &token.data {
        config.data.dir.clone_from(data);
    }
    let text = match &token.command {
        What::Init => init(&config)?,
        What::Make(make) => make.run(&config)?,
        What::Rotate(rotate) => rotate.run(&config)?,
        What::List => list(&keys(&config)?),
    };
    print!("{text}");
    Ok(())
}

fn keys(config: &Config) -> anyhow::Result<Keys> {
    let path = Keys::path(&config.data.dir);
    Keys::load(&path)?.with_context(|| format!("there is no {}; run `openmic token init`", path.display()))
}

fn init(config: &Config) -> anyhow::Result<String> {
    let path = Keys::path(&config.data.dir);
    let there = path.try_exists().with_context(|| path.display().to_string())?;
    ensure!(!there, "{} is there already; change its keys with `openmic token rotate ID`", path.display());
    let (keys, token) = Keys::generate(now());
    keys.save(&path)?;
    Ok(format!(
        "\n  The keys are in {}, which only this user may read; the server must run as the same.\n\n  \
         Token of the console and the API, shown this once:\n\n    {}\n\n  \
         What now\n    \
         Listen beyond this machine     http.listen, rtmp.listen = \"0.0.0.0:...\" in the configuration\n    \
         Tell a server that runs        kill -HUP its process\n    \
         An address to publish at       openmic token make --publish live/NAME --seconds 86400\n    \
         One to watch at                openmic token make --play live/NAME --seconds 86400\n    \
         Sign addresses in a program    docs/access.md\n    \
         Let everybody watch an app     [[access.app]] with name = \"live\", play = \"open\"\n\n",
        path.display(),
        token.expose(),
    ))
}

impl Make {
    fn run(&self, config: &Config) -> anyhow::Result<String> {
        if let (Some(room), Some(user)) = (&self.room, &self.user) {
            return self.room(config, room, user);
        }
        let keys = keys(config)?;
        let expiry = now().saturating_add(self.seconds);
        let signer = Signer { keys: &keys, expiry };
        let base = self.base(config);
        match (&self.publish, &self.play) {
            (Some(path), _) => publish(&signer, &base, path),
            (None, Some(path)) => play(&signer, &base, path),
            (None, None) => {
                let sub = Some("openmic token make".to_owned());
                let grant = Grant { scope: vec![Scope::Admin], path: None, app: None, sub, exp: expiry };
                let token = jwt::make(&keys, &config.access.audience, &grant);
                Ok(format!("{}\n", token.context("keys.toml has no key of the kind jwt for every app")?))
            }
        }
    }

    /// Signed with the key of the kind jwt; without a key file, as on a laptop, with one that is for rooms alone.
    fn room(&self, config: &Config, room: &str, user: &str) -> anyhow::Result<String> {
        ensure!(
            RoomId::new(room).is_some(),
            "{room:?} is no name of a room: letters, digits, - and _, up to 64"
        );
        ensure!(
            UserId::new(user).is_some(),
            "a user's id has 1 to 64 characters that can be seen, and no blanks"
        );
        let grant = RoomGrant {
            room: room.to_owned(),
            sub: user.to_owned(),
            name: self.name.clone(),
            role: self.role,
            info: String::new(),
            exp: now().saturating_add(self.seconds),
        };
        let audience = &config.access.audience;
        let token = match Keys::load(&Keys::path(&config.data.dir))? {
            Some(keys) => jwt::make_room_of(&keys, &config.rooms.app, audience, &grant)
                .context("keys.toml has no key of the kind jwt for rooms")?,
            None => jwt::make_room(rooms::KID, &rooms::load_or_make(&config.data.dir)?, audience, &grant),
        };
        Ok(format!("{token}\n"))
    }

    fn base(&self, config: &Config) -> Base {
        let named = self.host.as_deref().or(config.http.hosts.first().map(String::as_str));
        let at = |scheme: &str, usual: u16, listen: SocketAddr| {
            let host = named.map_or_else(|| reachable(listen).ip().to_string(), str::to_owned);
            let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host };
            let port = if listen.port() == usual { String::new() } else { format!(":{}", listen.port()) };
            format!("{scheme}://{host}{port}")
        };
        let plain = at("http", 80, config.http.listen);
        Base {
            http: config.http.tls_listen.map_or(plain, |listen| at("https", 443, listen)),
            rtmp: at("rtmp", 1935, config.rtmp.listen),
            rtmps: config.rtmp.tls_listen.map(|listen| at("rtmps", 443, listen)),
        }
    }
}

/// The path, its token and the older form of it.
fn signed(
    signer: &Signer<'_>,
    action: Action,
    path: &str,
) -> anyhow::Result<(server::access::Path, [String; 2])> {
    let path = server::access::Path::new(path).with_context(|| format!("{path:?} names no stream"))?;
    match (signer.token(action, &path), signer.tx(action, &path)) {
        (Some(token), Some(tx)) => Ok((path, [token, tx])),
        _ => bail!("keys.toml has no key of the kind {} for the app {}", action.name(), path.app()),
    }
}

fn publish(signer: &Signer<'_>, base: &Base, path: &str) -> anyhow::Result<String> {
    let (path, [token, tx]) = signed(signer, Action::Publish, path)?;
    let made = base.publish(&path, Some(&token));
    let Obs { server, key } = &made.rtmp;
    let mut text = format!("OBS        Server: {server}   Stream key: {key}\n");
    if let Some(Obs { server, key }) = &made.rtmps {
        writeln!(text, "           Server: {server}   Stream key: {key}")?;
    }
    writeln!(text, "ffmpeg     {}", made.ffmpeg)?;
    writeln!(
        text,
        "WHIP       {}\n           or without the query, with the bearer token {token}",
        made.whip
    )?;
    writeln!(text, "txSecret   {server}/{}?{tx}", path.stream())?;
    Ok(text)
}

fn play(signer: &Signer<'_>, base: &Base, path: &str) -> anyhow::Result<String> {
    let (path, [token, tx]) = signed(signer, Action::Play, path)?;
    let made = base.play(&path, Some(&token));
    let plain = base.play(&path, None);
    Ok(format!(
        "Page       {}\nHTTP-FLV   {}\nWS-FLV     {}\nHLS        {}\nRTMP       {}\nWHEP       {}\ntxSecret   {}?{tx}\n",
        made.page, made.flv, made.ws_flv, made.hls, made.rtmp, made.whep, plain.flv
    ))
}

impl Rotate {
    fn run(&self, config: &Config) -> anyhow::Result<String> {
        let mut keys = keys(config)?;
        let now = now();
        let shown = keys.rotate(&self.id, now, now.saturating_add(self.keep_seconds))?;
        keys.save(&Keys::path(&config.data.dir))?;
        let is_admin = keys.of(Kind::Admin).any(|key| key.id == self.id);
        let value = match is_admin {
            true => format!("Its new token, shown this once: {}\n", shown.expose()),
            false => "Its new value is in keys.toml.\n".to_owned(),
        };
        let kept = match self.keep_seconds {
            0 => "The old value is accepted no more".to_owned(),
            kept => format!("The old value is accepted for {kept} s"),
        };
        Ok(format!("{value}{kept}, from when the server reads its keys: send it SIGHUP.\n"))
    }
}

fn list(keys: &Keys) -> String {
    let mut text = String::new();
    for key in keys.list() {
        let app = key.app.as_deref().map(|app| format!("   app {app}")).unwrap_or_default();
        let previous = match key.previous_until(now()) {
            Some(until) => format!("   the former value is good for {} s", until - now().min(until)),
            None => String::new(),
        };
        let _ = writeln!(text, "{:20} {}{app}{previous}", key.id, key.kind.name());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A configuration whose data directory is gone with this value.
    struct Place(Config);

    impl Place {
        fn new() -> Self {
            let mut config = Config::default();
            config.data.dir = std::env::temp_dir().join(format!("openmic-token-{}", std::process::id()));
            config.http.hosts = vec!["live.example".into()];
            config.http.listen.set_port(80);
            Self(config)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0.data.dir);
        }
    }

    fn make(publish: Option<&str>, play: Option<&str>) -> Make {
        let text = |path: Option<&str>| path.map(str::to_owned);
        Make {
            publish: text(publish),
            play: text(play),
            admin: false,
            room: None,
            user: None,
            name: None,
            role: Role::Guest,
            seconds: 60,
            host: None,
        }
    }

    #[test]
    fn keys_are_made_once_and_then_sign_list_and_rotate() {
        let place = Place::new();
        let config = &place.0;
        let none = make(Some("live/a"), None).run(config).unwrap_err().to_string();
        assert!(none.contains("openmic token init"), "{none}");
        let told = init(config).unwrap();
        assert!(told.contains("openmic_") && told.contains("keys.toml"), "{told}");
        assert!(init(config).unwrap_err().to_string().contains("rotate"));

        let publish = make(Some("live/a"), None).run(config).unwrap();
        assert!(publish.contains("Server: rtmp://live.example/live   Stream key: a?auth=v1."), "{publish}");
        assert!(publish.contains("http://live.example/live/a/whip?auth=v1."), "{publish}");
        assert!(publish.contains("rtmp://live.example/live/a?txSecret="), "{publish}");
        let play = make(None, Some("live/a")).run(config).unwrap();
        assert!(play.contains("http://live.example/play/live/a#auth=v1."), "{play}");
        assert!(make(None, Some("live")).run(config).is_err(), "no stream");
        let admin = Make { admin: true, ..make(None, None) }.run(config).unwrap();
        assert_eq!(admin.trim().split('.').count(), 3, "{admin}");

        let room = Make { room: Some("r".into()), user: Some("u7".into()), ..make(None, None) };
        assert_eq!(room.run(config).unwrap().trim().split('.').count(), 3);
        assert!(Make { room: Some("a b".into()), ..room }.run(config).is_err());

        let rotate = |id: &str| Rotate { id: id.into(), keep_seconds: 60 }.run(config);
        let rotated = rotate("admin").unwrap();
        assert!(rotated.contains("openmic_") && rotated.contains("SIGHUP"), "{rotated}");
        assert!(!rotate("play").unwrap().contains("openmic_"), "it stays in the file");
        assert!(rotate("nobody").is_err());
        let listed = list(&keys(config).unwrap());
        assert!(
            listed.lines().count() == 4 && listed.matches("the former value is good").count() == 2,
            "{listed}"
        );
        for key in keys(config).unwrap().list() {
            assert!(listed.contains(&key.id));
        }
    }
}
