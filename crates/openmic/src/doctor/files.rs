//! Certificates, the data directory, and FFmpeg.

use std::net::ToSocketAddrs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use server::Config;
use server::config::Source;
use server::tls::files::{Validity, validity};

use super::finding::Finding;

const DAY: Duration = Duration::from_secs(86_400);
/// Whatever renews a certificate has done so long before.
const ENDS_SOON: Duration = DAY.saturating_mul(14);
/// Encoders of H.264 that the server can have FFmpeg use; the first is what it asks for.
const ENCODERS: &[&str] = &["libx264", "h264_nvenc", "h264_qsv", "h264_vaapi", "libopenh264"];

pub(super) fn access(config: &Config) -> Finding {
    match server::access::inspect(config) {
        Ok(keys) if keys.list().is_empty() => Finding::good("access", "no keys are needed"),
        Ok(keys) => Finding::good("access", format!("{} keys in keys.toml", keys.list().len())),
        Err(error) => Finding::wrong(
            "access",
            error.to_string(),
            "docs/access.md tells of keys; `openmic token init` makes them",
        ),
    }
}

pub(super) fn tls(config: &Config) -> Vec<Finding> {
    match config.tls.source() {
        None => vec![Finding::good("tls", "none is asked for")],
        Some(Source::Files) => vec![match validity(&config.tls) {
            Ok(validity) => judge(&validity, SystemTime::now()),
            Err(error) => Finding::wrong(
                "tls",
                error.to_string(),
                "give the certificate with its chain and its own key, both PEM",
            ),
        }],
        Some(Source::LocalCa) => {
            let folder = config.data.dir.join("ca");
            let what = match folder.join("ca.pem").exists() {
                true => format!("this server's own authority is in {}", folder.display()),
                false => format!("this server's own authority will be made in {}", folder.display()),
            };
            vec![Finding::good("tls", what)]
        }
        Some(Source::Acme) => acme(config),
    }
}

fn judge(validity: &Validity, now: SystemTime) -> Finding {
    let days = |duration: Duration| duration.as_secs() / DAY.as_secs();
    if let Ok(early) = validity.begins.duration_since(now)
        && !early.is_zero()
    {
        let what = format!("the certificate begins in {} days", days(early));
        return Finding::wrong("tls", what, "set the clock, or wait");
    }
    match validity.ends.duration_since(now) {
        Err(late) => {
            let what = format!("the certificate ended {} days ago", days(late.duration()));
            Finding::wrong("tls", what, "renew it; a running server reads the new files within a minute")
        }
        Ok(left) if left < ENDS_SOON => {
            let what = format!("the certificate ends in {} days", days(left));
            Finding::doubt("tls", what, "renew it, and see why nothing did")
        }
        Ok(left) => {
            Finding::good("tls", format!("certificate and key match, and hold for {} days", days(left)))
        }
    }
}

fn acme(config: &Config) -> Vec<Finding> {
    let mut findings: Vec<Finding> = config.tls.acme_domains.iter().map(|name| resolves(name)).collect();
    if let Some(at) = config.http.tls_listen.filter(|at| at.port() != 443) {
        findings.push(Finding::doubt(
            "tls",
            format!("http.tls_listen = {at}, but an ACME directory connects to port 443"),
            "listen on port 443, or forward it there unchanged",
        ));
    }
    findings
}

fn resolves(name: &str) -> Finding {
    match (name, 443).to_socket_addrs().map(|found| found.map(|at| at.ip()).collect::<Vec<_>>()) {
        Ok(found) if !found.is_empty() => Finding::good("tls", format!("{name} leads to {found:?}")),
        Ok(_) | Err(_) => Finding::wrong(
            "tls",
            format!("{name} leads nowhere"),
            "add an address for it to its DNS zone; without one no directory gives it a certificate",
        ),
    }
}

pub(super) fn data(config: &Config) -> Finding {
    let dir = &config.data.dir;
    let Ok(found) = std::fs::metadata(dir) else {
        let parent = dir.ancestors().skip(1).find(|above| above.exists()).unwrap_or(Path::new("."));
        return match is_writable(parent) {
            true => Finding::good("data", format!("{} will be made when it is needed", dir.display())),
            false => Finding::wrong(
                "data",
                format!("{} is missing and this user cannot make it", dir.display()),
                "make it for the server's user, or set data.dir to a directory of its own",
            ),
        };
    };
    if !found.is_dir() || !is_writable(dir) {
        let what = format!("{} is no directory that this user can write to", dir.display());
        return Finding::wrong("data", what, "give it to the server's user");
    }
    let mode = found.permissions().mode() & 0o777;
    match mode & 0o077 {
        0 => Finding::good("data", format!("{} is this user's alone", dir.display())),
        _ => Finding::doubt(
            "data",
            format!("others of this machine may look into {} (mode {mode:o})", dir.display()),
            format!("chmod 700 {}", dir.display()),
        ),
    }
}

/// Tried with a file, for rights do not tell of read-only file systems.
fn is_writable(dir: &Path) -> bool {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let probe = dir.join(format!(".openmic-doctor-{}", std::process::id()));
    let made = std::fs::OpenOptions::new().write(true).create_new(true).open(&probe).is_ok();
    made && std::fs::remove_file(&probe).is_ok()
}

pub(super) fn ffmpeg(config: &Config) -> Finding {
    let path = match server::find_ffmpeg(&config.transcode.ffmpeg) {
        Ok(path) => path,
        Err(why) => {
            let what = "no H.264 is made of AV1, H.265, VP8 and VP9 for viewers that lack them";
            return Finding::doubt("ffmpeg", what, why);
        }
    };
    let listed = Command::new(&path).args(["-hide_banner", "-encoders"]).stdin(Stdio::null()).output();
    let Ok(listed) = listed else {
        let what = format!("{} cannot be run", path.display());
        return Finding::wrong("ffmpeg", what, "install FFmpeg 5.1 or newer, or set transcode.ffmpeg");
    };
    let found = encoders(&String::from_utf8_lossy(&listed.stdout));
    match found.first() {
        Some(&first) if first == ENCODERS[0] => {
            Finding::good("ffmpeg", format!("{} has {}", path.display(), found.join(", ")))
        }
        Some(_) | None => Finding::doubt(
            "ffmpeg",
            format!("{} lacks {}", path.display(), ENCODERS[0]),
            "install a build with libx264; without it no H.264 is made of other pictures",
        ),
    }
}

/// Those of ours that `ffmpeg -encoders` lists: flags, then the name.
fn encoders(listed: &str) -> Vec<&'static str> {
    let names: Vec<&str> = listed.lines().filter_map(|line| line.split_ascii_whitespace().nth(1)).collect();
    ENCODERS.iter().copied().filter(|known| names.contains(known)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn a_certificate_is_judged_by_the_time_it_has_left() {
        let now = SystemTime::now();
        let level = |begins: SystemTime, ends: SystemTime| judge(&Validity { begins, ends }, now).level;
        assert_eq!(level(now - DAY, now + DAY * 30), Level::Good);
        assert_eq!(level(now - DAY, now + DAY * 13), Level::Doubtful);
        assert_eq!(level(now - DAY * 9, now - DAY), Level::Wrong);
        assert_eq!(level(now + DAY, now + DAY * 90), Level::Wrong);
    }

    #[test]
    fn encoders_are_found_by_their_names() {
        let listed = " ------\n V....D libx264              libx264 H.264 (codec h264)\n V....D libx264rgb  x\n A....D aac  AAC\n";
        assert_eq!(encoders(listed), ["libx264"]);
        assert!(encoders("").is_empty());
    }

    #[test]
    fn a_name_that_leads_nowhere_gets_no_certificate() {
        assert_eq!(resolves("localhost").level, Level::Good);
        assert_eq!(resolves("no-such-name.invalid").level, Level::Wrong);
    }
}
