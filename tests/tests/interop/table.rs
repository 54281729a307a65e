//! The matrix on paper: each row leaves its cells in a file, and whoever finishes writes the table anew.

use std::fs;
use std::path::PathBuf;

use crate::player::Player;
use crate::row::{ROWS, Row};
use crate::tool;

/// One cell.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    /// Played, with what was seen.
    Plays(String),
    /// The player cannot, for this reason, and said so.
    Cannot(String),
    /// It should have.
    Fails(String),
}

/// Writes a row and the table of all rows measured since the output was last removed.
pub(crate) fn write(row: &Row, cells: &[(Player, Cell)]) {
    let dir = tool::root().join("test-output/interop");
    fs::create_dir_all(&dir).expect("the output directory is writable");
    let words = |player: &Player| {
        let cell = cells.iter().find(|(each, _)| each == player);
        cell.map_or_else(|| "–".to_owned(), |(_, cell)| cell.words())
    };
    let line = Player::ALL
        .iter()
        .fold(format!("| **{}** |", row.title), |line, player| line + &format!(" {} |", words(player)));
    fs::write(dir.join(row.name), line + "\n").expect("the output directory is writable");
    let table: String =
        ROWS.iter().map(|row| fs::read_to_string(dir.join(row.name)).unwrap_or_default()).collect();
    let titles: String = Player::ALL.iter().map(|player| format!(" {} |", player.title())).collect();
    let head = format!("| publisher ╲ player |{titles}\n|---{}|\n", "|---".repeat(Player::ALL.len()));
    let file: PathBuf = tool::root().join("test-output/interop.md");
    fs::write(file, format!("{head}{table}")).expect("the output directory is writable");
}

impl Cell {
    fn words(&self) -> String {
        let (mark, words) = match self {
            Self::Plays(words) => ("✓", words),
            Self::Cannot(words) => ("n/a:", words),
            Self::Fails(words) => ("**✗**", words),
        };
        format!("{mark} {}", words.replace(['|', '\n'], " "))
    }
}
