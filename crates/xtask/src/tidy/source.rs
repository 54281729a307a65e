//! Rules about one Rust file: header, sizes, and names that may not appear.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use super::Problem;

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;
const STRUCT_FIELDS_MAX: usize = 12;

/// Crates that are handed IO, time and a runtime from outside.
const PURE: &[&str] = &["crates/media/", "crates/wire/", "crates/room/", "crates/av/"];

/// Names that mean IO, a clock or a runtime, as tokens.
const IMPURE: &[&[&str]] = &[
    &["tokio", ":", ":"],
    &["std", ":", ":", "fs"],
    &["std", ":", ":", "net", ":", ":", "Tcp"],
    &["std", ":", ":", "process"],
    &["std", ":", ":", "thread"],
    &["TcpStream"],
    &["TcpListener"],
    &["UdpSocket"],
    &["Instant", ":", ":", "now"],
    &["SystemTime", ":", ":", "now"],
    &["println", "!"],
    &["eprintln", "!"],
];

/// Half-finished work, in any code.
const UNFINISHED: &[&[&str]] = &[&["todo", "!"], &["unimplemented", "!"], &["dbg", "!"]];

/// Functions over the ratchet, each with its reason. Shorten one and take it out; do not add one lightly.
const LONG_FUNCTIONS: &[(&str, &str)] = &[];

/// Structs over the ratchet: what a file or a command line configures is as wide as its document.
fn may_be_wide(file: &str, name: &str) -> bool {
    file.contains("config") || file.ends_with("/cli.rs") || name.ends_with("Config") || name.ends_with("Args")
}

/// All rules about one Rust file, `file` being its path from the root.
pub(super) fn check(file: &str, text: &str) -> Vec<Problem> {
    let tokens: TokenStream = match text.parse() {
        Ok(tokens) => tokens,
        Err(error) => return vec![Problem::new(file, 0, format!("not Rust: {error}"))],
    };
    let mut problems = vec![];
    if !text.starts_with("//!") {
        problems.push(Problem::new(file, 1, "must open with a //! header"));
    }
    let mut scan = Scan::default();
    scan.walk(tokens, is_test_file(file));
    let lines = text.lines().count() - scan.test_lines;
    if lines > FILE_LINES_MAX {
        problems.push(Problem::new(
            file,
            0,
            format!("{lines} lines without its tests, over {FILE_LINES_MAX}"),
        ));
    }
    for item in &scan.functions {
        if item.size > FUNCTION_LINES_MAX && !LONG_FUNCTIONS.contains(&(file, &item.name)) {
            let what = format!("fn {} has {} lines, over {FUNCTION_LINES_MAX}", item.name, item.size);
            problems.push(Problem::new(file, item.line, what));
        }
    }
    for item in &scan.structs {
        if item.size > STRUCT_FIELDS_MAX && !may_be_wide(file, &item.name) {
            let what = format!("struct {} has {} fields, over {STRUCT_FIELDS_MAX}", item.name, item.size);
            problems.push(Problem::new(file, item.line, what));
        }
    }
    problems.extend(check_names(file, &scan));
    problems
}

fn check_names(file: &str, scan: &Scan) -> Vec<Problem> {
    let mut problems = vec![];
    let mut ban = |words: &[Word], names: &[&[&str]], why: &str| {
        for (at, name) in names.iter().flat_map(|name| find(words, name).map(move |at| (at, name.concat()))) {
            problems.push(Problem::new(file, words[at].line, format!("{name} {why}")));
        }
    };
    let in_src = file.starts_with("crates/");
    ban(&scan.code, UNFINISHED, "is unfinished work");
    ban(&scan.test, UNFINISHED, "is unfinished work");
    ban(&scan.code, &[&["#", "[", "ignore"]], "hides a test");
    ban(&scan.test, &[&["#", "[", "ignore"]], "hides a test");
    if in_src {
        ban(
            &scan.code,
            &[&[".", "unwrap", "(", ")"]],
            "outside tests; say why it holds with expect, or return an error",
        );
        ban(&scan.test, &[&["sleep", "("]], "in a unit test; hand it the time instead");
    }
    if PURE.iter().any(|prefix| file.starts_with(prefix)) {
        ban(&scan.code, IMPURE, "in a pure crate; its caller hands it in");
    }
    problems
}

/// A file that holds nothing but tests: an integration test, or `tests.rs` beside what it tests.
fn is_test_file(file: &str) -> bool {
    file.starts_with("tests/")
        || file.contains("/tests/")
        || file.ends_with("/tests.rs")
        || file.contains("/benches/")
}

/// One token, flattened: an identifier, one punctuation character, or one bracket.
struct Word {
    text: String,
    line: usize,
}

/// A function (size in lines) or a struct (size in fields).
struct Item {
    name: String,
    line: usize,
    size: usize,
}

#[derive(Default)]
struct Scan {
    code: Vec<Word>,
    test: Vec<Word>,
    functions: Vec<Item>,
    structs: Vec<Item>,
    /// Lines of `#[cfg(test)]` and `#[test]` items, which do not count towards the size of the file.
    test_lines: usize,
}

impl Scan {
    fn walk(&mut self, tokens: TokenStream, test: bool) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            if !test && opens_test_item(&tokens[at..]) {
                let end = at + item_length(&tokens[at..]);
                let lines = tokens[end - 1].span().end().line - tokens[at].span().start().line + 1;
                self.test_lines += lines;
                self.walk(tokens[at..end].iter().cloned().collect(), true);
                at = end;
                continue;
            }
            self.note_item(&tokens[at..]);
            self.take(&tokens[at], test);
            at += 1;
        }
    }

    fn take(&mut self, token: &TokenTree, test: bool) {
        let line = token.span().start().line;
        let text = match token {
            TokenTree::Ident(ident) => ident.to_string(),
            TokenTree::Punct(punct) => punct.as_char().to_string(),
            // The text of a literal can name anything.
            TokenTree::Literal(_) => "\"\"".to_owned(),
            TokenTree::Group(group) => return self.take_group(group, test),
        };
        let words = if test { &mut self.test } else { &mut self.code };
        words.push(Word { text, line });
    }

    fn take_group(&mut self, group: &Group, test: bool) {
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::None => ("", ""),
        };
        for (text, line) in [(open, group.span_open().start().line), (close, group.span_close().end().line)] {
            if text == close {
                self.walk(group.stream(), test);
            }
            let words = if test { &mut self.test } else { &mut self.code };
            words.push(Word { text: text.to_owned(), line });
        }
    }

    /// Remembers the function or struct that `tokens` opens with, if any.
    fn note_item(&mut self, tokens: &[TokenTree]) {
        let [TokenTree::Ident(keyword), TokenTree::Ident(name), rest @ ..] = tokens else { return };
        let body = rest.iter().take_while(|t| !is_punct(t, ';')).find_map(braces);
        let Some(body) = body else { return };
        let line = keyword.span().start().line;
        let name = name.to_string();
        if keyword == "fn" {
            let size = body.span_close().end().line - line + 1;
            self.functions.push(Item { name, line, size });
        } else if keyword == "struct" {
            self.structs.push(Item { name, line, size: fields(body) });
        }
    }
}

/// Whether an attribute `#[test]`, `#[….test]`, `#[rstest]`, `#[cfg(test)]` or `#[cfg(all(test, …))]` stands here.
fn opens_test_item(tokens: &[TokenTree]) -> bool {
    let [hash, TokenTree::Group(attribute), ..] = tokens else { return false };
    if !is_punct(hash, '#') || attribute.delimiter() != Delimiter::Bracket {
        return false;
    }
    let text: String = attribute.stream().to_string().chars().filter(|c| !c.is_whitespace()).collect();
    let path = text.split('(').next().unwrap_or_default();
    matches!(path.rsplit("::").next(), Some("test" | "rstest"))
        || text.starts_with("cfg(test)")
        || text.starts_with("cfg(all(test,")
}

/// How many tokens the item takes that these attributes belong to: up to its braces or its semicolon.
fn item_length(tokens: &[TokenTree]) -> usize {
    let end = tokens.iter().position(|t| is_punct(t, ';') || braces(t).is_some());
    end.map_or(tokens.len(), |at| at + 1)
}

fn braces(token: &TokenTree) -> Option<&Group> {
    match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group),
        TokenTree::Group(_) | TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => None,
    }
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

/// Fields of a struct's body: its single colons; those of a path come in pairs.
fn fields(body: &Group) -> usize {
    let tokens: Vec<TokenTree> = body.stream().into_iter().collect();
    let colon = |at: Option<usize>| at.and_then(|at| tokens.get(at)).is_some_and(|t| is_punct(t, ':'));
    (0..tokens.len())
        .filter(|&at| colon(Some(at)) && !colon(at.checked_sub(1)) && !colon(Some(at + 1)))
        .count()
}

/// Every place where `name` stands in `words`. Its last token matches as a prefix: `Tcp` finds `TcpStream`.
fn find<'a>(words: &'a [Word], name: &'a [&'a str]) -> impl Iterator<Item = usize> + 'a {
    let last = name.len() - 1;
    let same = move |(at, (word, wanted)): (usize, (&Word, &&str))| match wanted
        .ends_with(char::is_alphanumeric)
        && at == last
    {
        true => word.text.starts_with(*wanted),
        false => word.text == *wanted,
    };
    let hit = move |window: &[Word]| window.iter().zip(name).enumerate().all(same);
    words.windows(name.len()).enumerate().filter(move |(_, window)| hit(window)).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(file: &str, body: &str) -> Vec<String> {
        let text = format!("//! A file.\n{body}");
        check(file, &text).iter().map(Problem::to_string).collect()
    }

    #[test]
    fn an_impure_name_is_found_in_code_and_ignored_in_comments_strings_and_tests() {
        let code = "// tokio::spawn\nfn f() -> &'static str { \"std::fs\" }\n#[cfg(test)]\nmod tests { use tokio::spawn; }\n";
        assert_eq!(problems("crates/wire/src/a.rs", code), [] as [String; 0]);
        let code = "fn f() {\n    let now = std::time::Instant::now();\n}\n";
        let found = problems("crates/wire/src/a.rs", code);
        assert_eq!(found, ["crates/wire/src/a.rs:3: Instant::now in a pure crate; its caller hands it in"]);
        assert_eq!(problems("crates/server/src/a.rs", code), [] as [String; 0]);
    }

    #[test]
    fn an_impure_name_inside_a_macro_call_is_found() {
        assert_eq!(problems("crates/media/src/a.rs", "fn f() { assert!(std::fs::exists(p)); }").len(), 1);
    }

    #[test]
    fn a_bare_unwrap_is_found_outside_tests_only() {
        let code = "fn f() { x.unwrap(); y.unwrap_or(1); }\n#[test]\nfn g() { x.unwrap(); }\n";
        assert_eq!(problems("crates/server/src/a.rs", code).len(), 1);
        assert_eq!(problems("tests/e2e/a.rs", code), [] as [String; 0]);
    }

    #[test]
    fn unfinished_work_hidden_tests_and_sleeping_unit_tests_are_found() {
        assert_eq!(problems("crates/server/src/a.rs", "fn f() { todo!() }").len(), 1);
        assert_eq!(problems("tests/e2e/a.rs", "#[test]\n#[ignore]\nfn g() {}").len(), 1);
        assert_eq!(
            problems("crates/server/src/a.rs", "#[tokio::test]\nasync fn g() { sleep(SECOND).await; }").len(),
            1
        );
        assert_eq!(
            problems("crates/server/src/a.rs", "async fn g() { sleep(SECOND).await; }"),
            [] as [String; 0]
        );
    }

    #[test]
    fn a_long_function_and_a_long_file_are_found_and_tests_do_not_count() {
        let body = "    x();\n".repeat(FUNCTION_LINES_MAX);
        assert_eq!(problems("crates/server/src/a.rs", &format!("fn f() {{\n{body}}}\n")).len(), 1);
        let lines = "const A: u8 = 1;\n".repeat(FILE_LINES_MAX);
        assert_eq!(problems("crates/server/src/a.rs", &lines).len(), 1);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{lines}}}\n");
        assert_eq!(problems("crates/server/src/a.rs", &tests), [] as [String; 0]);
    }

    #[test]
    fn a_wide_struct_is_found_unless_it_is_configuration() {
        let body = "    a: std::vec::Vec<u8>,\n".repeat(STRUCT_FIELDS_MAX + 1);
        let code = format!("struct S {{\n{body}}}\n");
        assert_eq!(problems("crates/server/src/a.rs", &code).len(), 1);
        assert_eq!(problems("crates/server/src/config.rs", &code), [] as [String; 0]);
    }

    #[test]
    fn a_file_without_a_header_is_found() {
        assert_eq!(check("crates/server/src/a.rs", "fn f() {}\n").len(), 1);
    }
}
