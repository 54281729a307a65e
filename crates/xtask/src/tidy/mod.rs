//! Style as a test: who may depend on whom, what the pure crates may not name, how long things may get.
//!
//! Rust files are read as tokens, so comments and strings never match a banned name and a length is that of the
//! real item. Items under `#[cfg(test)]` or `#[test]` are test code and have rules of their own.

mod source;
mod tree;

use std::fmt;
use std::path::{Path, PathBuf};

/// One broken rule, with the place to look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Path relative to the root of the tree, with forward slashes.
    pub file: String,
    /// Line, counted from 1; 0 means the file as a whole.
    pub line: usize,
    /// What is wrong and what would be right.
    pub what: String,
}

impl Problem {
    fn new(file: &str, line: usize, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// Checks every file git knows of below `root` (tracked, or new and not ignored). Sorted by place.
///
/// # Errors
/// When git cannot list the files or one of them cannot be read.
pub fn check(root: &Path) -> anyhow::Result<Vec<Problem>> {
    let mut problems = vec![];
    for file in tree::files(root)? {
        let bytes = std::fs::read(root.join(&file))?;
        // A file that is not text (a clip, a picture) has no style.
        let Ok(text) = String::from_utf8(bytes) else { continue };
        problems.extend(tree::check_text(&file, &text));
        if file.ends_with(".rs") {
            problems.extend(source::check(&file, &text));
        }
        if let Some(name) = tree::crate_of_manifest(&file) {
            problems.extend(tree::check_edges(name, &file, &text));
        }
    }
    problems.sort();
    Ok(problems)
}

/// The root of the tree this program was built from.
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).expect("crates/xtask lies two levels below the root").to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        let problems = check(&root()).unwrap();
        let list: Vec<String> = problems.iter().map(Problem::to_string).collect();
        assert!(list.is_empty(), "\n{}\n", list.join("\n"));
    }
}
