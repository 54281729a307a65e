//! Rules about the tree as a whole: crate edges, and words no tracked file may contain.

use std::path::Path;
use std::process::Command;

use anyhow::Context;

use super::Problem;

/// A crate may depend on the workspace crates listed beside it and on no other.
const EDGES: &[(&str, &[&str])] = &[
    ("media", &[]),
    ("wire", &["media"]),
    ("room", &["media"]),
    ("av", &["media"]),
    ("server", &["media", "wire", "room", "av"]),
    ("client", &["media", "wire", "room", "av"]),
    ("openmic", &["server", "client"]),
    ("xtask", &[]),
    ("e2e", &["media", "wire", "room", "av", "server", "client", "openmic"]),
];

/// Files git tracks below `root`, and new ones it does not ignore, relative to it.
pub(super) fn files(root: &Path) -> anyhow::Result<Vec<String>> {
    let out = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("running git to list the files")?;
    anyhow::ensure!(out.status.success(), "git ls-files: {}", String::from_utf8_lossy(&out.stderr));
    let names = String::from_utf8(out.stdout).context("a file name is not UTF-8")?;
    // A file removed but not yet committed is still listed.
    Ok(names.split_terminator('\0').filter(|f| root.join(f).is_file()).map(str::to_owned).collect())
}

/// The crate a manifest belongs to, by its folder: `crates/NAME/Cargo.toml`, or `tests/Cargo.toml` (`e2e`).
pub(super) fn crate_of_manifest(file: &str) -> Option<&str> {
    match file {
        "tests/Cargo.toml" => Some("e2e"),
        _ => file.strip_prefix("crates/")?.strip_suffix("/Cargo.toml"),
    }
}

/// The edges of one crate. Development dependencies are free: a test may look from above.
pub(super) fn check_edges(name: &str, file: &str, manifest: &str) -> Vec<Problem> {
    let Some((_, allowed)) = EDGES.iter().find(|(crate_name, _)| *crate_name == name) else {
        return vec![Problem::new(
            file,
            0,
            format!("crate {name} has no place in the layers (xtask::tidy::tree)"),
        )];
    };
    let mut problems = vec![];
    let mut binding = false;
    for (at, line) in manifest.lines().enumerate() {
        if line.starts_with('[') {
            binding = line.ends_with("dependencies]") && !line.contains("dev-dependencies");
        }
        let key = line.split(['.', ' ', '=']).next().unwrap_or_default();
        let ours = EDGES.iter().any(|(other, _)| *other == key);
        if binding && ours && !allowed.contains(&key) {
            problems.push(Problem::new(file, at + 1, format!("{name} must not depend on {key}")));
        }
    }
    problems
}

/// Words that tie a file to one machine. Written in pieces, or this file would break its own rule.
const MACHINE_PATHS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

/// No path of a machine in any tracked file, and no address a lock file would fetch from.
pub(super) fn check_text(file: &str, text: &str) -> Vec<Problem> {
    let mut problems = vec![];
    for (at, line) in text.lines().enumerate() {
        for path in MACHINE_PATHS.iter().filter(|path| line.contains(**path)) {
            problems.push(Problem::new(file, at + 1, format!("{path}… is a path of one machine")));
        }
        if file.ends_with("package-lock.json") && line.trim_start().starts_with("\"resolved\"") {
            problems.push(Problem::new(
                file,
                at + 1,
                "a download address; npm config omit-lockfile-registry-resolved",
            ));
        }
        if file.ends_with("Cargo.lock")
            && line.starts_with("source = ")
            && !line.contains("rust-lang/crates.io-index")
        {
            problems.push(Problem::new(file, at + 1, "a source other than crates.io"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upward_edge_is_found_and_a_downward_one_is_not() {
        let manifest = "[dependencies]\nmedia.workspace = true\nserver = { path = \"../server\" }\n";
        let found = check_edges("wire", "crates/wire/Cargo.toml", manifest);
        assert_eq!(found, [Problem::new("crates/wire/Cargo.toml", 3, "wire must not depend on server")]);
    }

    #[test]
    fn a_development_dependency_may_look_from_above() {
        assert_eq!(check_edges("wire", "x", "[dev-dependencies]\nserver.workspace = true\n"), []);
    }

    #[test]
    fn a_crate_nobody_placed_is_refused() {
        assert_eq!(check_edges("misc", "x", "").len(), 1);
    }

    #[test]
    fn a_machine_path_and_a_download_address_are_found() {
        let path = format!("include = \"{}me\"", MACHINE_PATHS[0]);
        assert_eq!(check_text("a.toml", &path).len(), 1);
        assert_eq!(check_text("web/package-lock.json", "  \"resolved\": \"https://x/y.tgz\",").len(), 1);
        assert_eq!(check_text("README.md", "docs/images/console.png"), []);
    }
}
