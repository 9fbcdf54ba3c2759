//! Texts that others wrote, made fit to be printed.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A name (or another text of one line) in which nothing commands a terminal, ends a line or turns the direction of writing: such characters
/// are written as escapes, `\n`, `\u{1b}`.
///
/// Names in a database can hold any of them, and whoever may create a table chooses one.
pub fn printable(text: &str) -> Cow<'_, str> {
    escape(text, is_command)
}

/// The same for texts of several lines: line feeds and tabs stay.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escape(text, |c| is_command(c) && c != '\n' && c != '\t')
}

fn escape(text: &str, escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&escaped) {
        return Cow::Borrowed(text);
    }
    let mut written = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if escaped(c) {
            // Writing into a string cannot fail.
            let _ = write!(written, "{}", c.escape_default());
        } else {
            written.push(c);
        }
    }
    Cow::Owned(written)
}

/// Control characters (C0, DEL, C1), line and paragraph separators, and what turns the direction of writing (Unicode's UAX #9, `Bidi_Control`).
fn is_command(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_escaped_and_nothing_else() {
        assert_eq!(
            printable("a\u{1b}[2Jb\nc\r\t\u{7f}\u{9b}\u{202e}"),
            "a\\u{1b}[2Jb\\nc\\r\\t\\u{7f}\\u{9b}\\u{202e}"
        );
        assert_eq!(printable_lines("a\n\tb\rc"), "a\n\tb\\rc");
        for plain in ["", "größer \"x\" \\ 表 🙂"] {
            assert!(matches!(printable(plain), Cow::Borrowed(text) if text == plain));
        }
    }
}
