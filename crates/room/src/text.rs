//! Text that people typed, before others see it: normalised, of bounded length, without what cannot be seen.
//!
//! Nothing is escaped here: a name is text and is rendered as text. What would turn a line round or hide in it is refused.

use unicode_normalization::UnicodeNormalization;

/// A user id or room id; back-ends use UUIDs and numbers.
pub const ID_CHARS_MAX: usize = 64;
/// What fits under a picture.
pub const NAME_CHARS_MAX: usize = 64;
/// What fits at the top of a page.
pub const TITLE_CHARS_MAX: usize = 128;
/// A few sentences; longer texts are documents.
pub const CHAT_CHARS_MAX: usize = 500;
/// A key of custom data.
pub const KEY_CHARS_MAX: usize = 64;
/// One value of custom data: a small JSON document.
pub const VALUE_BYTES_MAX: usize = 4_096;
/// What a token says about its bearer for the pages of an application: an address of a picture, a few fields.
pub const INFO_BYTES_MAX: usize = 512;
/// Written languages stack two or three marks on a letter; towers of them cover other people's lines.
const MARKS_IN_A_ROW_MAX: usize = 4;

/// A name, in NFC, with single blanks. `None` when it is empty, too long or holds what cannot be seen.
pub fn name(text: &str) -> Option<String> {
    line(text, NAME_CHARS_MAX)
}

/// A title, as a name and longer.
pub fn title(text: &str) -> Option<String> {
    line(text, TITLE_CHARS_MAX)
}

/// A line of chat, in NFC. It may have several lines, each of which obeys the rules of a name.
pub fn chat(text: &str) -> Option<String> {
    // Normalising is work: what is far too long is refused by its bytes.
    if text.len() > CHAT_CHARS_MAX * 4 {
        return None;
    }
    let text: String = text.trim().nfc().collect();
    let fits = (1..=CHAT_CHARS_MAX).contains(&text.chars().count());
    (fits && text.chars().all(|c| c == '\n' || is_seen(c)) && !has_towers(&text)).then_some(text)
}

/// An id of a user: visible characters, not normalised, because whoever made it compares it byte by byte.
pub(crate) fn id(text: &str) -> Option<String> {
    let fits = text.len() <= ID_CHARS_MAX * 4 && (1..=ID_CHARS_MAX).contains(&text.chars().count());
    (fits && text.chars().all(|c| is_seen(c) && !c.is_whitespace())).then(|| text.to_owned())
}

/// A key of custom data: `a-z A-Z 0-9 . _ -`.
pub(crate) fn is_key(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=KEY_CHARS_MAX).contains(&text.len()) && text.chars().all(plain)
}

fn line(text: &str, chars_max: usize) -> Option<String> {
    if text.len() > chars_max * 8 {
        return None;
    }
    let words: Vec<&str> = text.split([' ', '\u{a0}', '\u{3000}']).filter(|word| !word.is_empty()).collect();
    let text: String = words.join(" ").nfc().collect();
    let fits = (1..=chars_max).contains(&text.chars().count());
    // U+200D joins emoji and letters; alone it is nothing.
    let empty = text.chars().all(|c| matches!(c, '\u{200c}' | '\u{200d}' | ' '));
    (fits && !empty && text.chars().all(is_seen) && !has_towers(&text)).then_some(text)
}

/// Whether a character shows, or joins two that do. Controls, line separators, marks of direction (UAX #9), blanks
/// without width, tags, private use and non-characters do not.
fn is_seen(c: char) -> bool {
    let unseen = c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{2800}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{10ffff}');
    !unseen
}

fn has_towers(text: &str) -> bool {
    let mut row = 0;
    text.chars().any(|c| {
        row = if unicode_normalization::char::is_combining_mark(c) { row + 1 } else { 0 };
        row > MARKS_IN_A_ROW_MAX
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_normalised_and_its_blanks_are_single() {
        assert_eq!(name("  Ame\u{301}lie \u{3000} Z ").as_deref(), Some("Am\u{e9}lie Z"));
        assert_eq!(name("李雷").as_deref(), Some("李雷"));
        assert_eq!(name("👩\u{200d}🏫 Ann").as_deref(), Some("👩\u{200d}🏫 Ann"));
    }

    #[test]
    fn a_name_that_hides_or_turns_text_is_refused() {
        for bad in [
            "",
            "   ",
            "a\u{202e}b",
            "a\u{2066}b",
            "a\u{200b}",
            "a\tb",
            "a\nb",
            "\0",
            "\u{200d}",
            "\u{feff}a",
            "\u{e000}",
        ] {
            assert_eq!(name(bad), None, "{bad:?}");
        }
        assert_eq!(name(&"a".repeat(65)), None);
        assert_eq!(name(&format!("a{}", "\u{301}".repeat(40))), None, "a tower of marks");
    }

    #[test]
    fn script_in_a_name_stays_the_text_it_is() {
        assert_eq!(name("<script>alert(1)</script>").as_deref(), Some("<script>alert(1)</script>"));
    }

    #[test]
    fn chat_may_have_lines_and_not_more() {
        assert_eq!(chat("one\ntwo").as_deref(), Some("one\ntwo"));
        assert_eq!(chat("one\rtwo"), None);
        assert_eq!(chat(&"字".repeat(CHAT_CHARS_MAX)).map(|t| t.chars().count()), Some(CHAT_CHARS_MAX));
        assert_eq!(chat(&"字".repeat(CHAT_CHARS_MAX + 1)), None);
        assert_eq!(chat(&"a".repeat(10 << 20)), None);
    }
}
