//! Text that came from a guest, made harmless before a person or a parser sees it.
//!
//! Every view goes through here: an image that is being judged must not be able to colour, move, hide, reorder or flood
//! what is said about it. What a console line is without its escape sequences, the checks crate knows.

use kverify_checks::console;

/// Most characters of one line; the rest is cut.
const LINE: usize = 4096;

/// `text` as one line: escape sequences and control characters gone, line ends made ` / `, characters that show nothing
/// or turn the reading direction written out as `<U+202E>`, and at most `most` characters, the last then `…`.
#[must_use]
pub fn line(text: &str, most: usize) -> String {
    let lines: Vec<_> = lines(text).map(|line| harmless(&line).trim().to_owned()).collect();
    let whole = lines.iter().filter(|line| !line.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" / ");
    cut(&whole, most)
}

/// `text` with its lines kept, each as in [`line()`] and at most 4096 characters long.
///
/// A carriage return ends a line too: nothing can be written over.
#[must_use]
pub fn block(text: &str) -> String {
    lines(text).map(|line| cut(&harmless(&line), LINE)).collect::<Vec<_>>().join("\n")
}

/// `text` with nothing taken away: every character that [`line()`] would drop or write out is written out.
#[must_use]
pub fn exact(text: &str) -> String {
    written_out(text, |character| character != '\n' && dangerous(character))
}

/// Whether a character does something other than showing itself: controls but for the tab, marks of direction and
/// width zero, and what XML and terminals cannot hold.
#[must_use]
pub(crate) fn dangerous(character: char) -> bool {
    match character {
        '\t' => false,
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fdd0}'..='\u{fdef}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => true,
        other => other.is_control() || u32::from(other) & 0xfffe == 0xfffe,
    }
}

/// Lines without their escape sequences and controls.
fn lines(text: &str) -> impl Iterator<Item = String> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r')).map(|line| {
        // The single-byte forms of CSI and the string introducers are unknown to the checks: make them two-byte ones.
        let seven_bit = line.chars().any(|character| ('\u{80}'..='\u{9f}').contains(&character));
        let line = if seven_bit { line.chars().flat_map(seven_bits).collect() } else { line.to_owned() };
        console::plain(&line).into_owned()
    })
}

fn seven_bits(character: char) -> impl Iterator<Item = char> {
    let second =
        char::from_u32(u32::from(character).wrapping_sub(0x40)).filter(|_| ('\u{80}'..='\u{9f}').contains(&character));
    let first = second.map_or(character, |_| '\u{1b}');
    std::iter::once(first).chain(second)
}

fn harmless(line: &str) -> String {
    written_out(line, dangerous)
}

fn written_out(text: &str, unwanted: impl Fn(char) -> bool) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut shown, character| {
        if unwanted(character) {
            shown.push_str("<U+");
            shown.extend(format!("{:04X}", u32::from(character)).chars());
            shown.push('>');
        } else {
            shown.push(character);
        }
        shown
    })
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::{block, dangerous, exact, line};

    const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;all good\u{7}zpool\u{9b}31m \u{202e}ENILNO\u{200b}\0\r\nPASS\rFAIL";

    #[test]
    fn nothing_that_acts_on_a_terminal_is_left() {
        assert_eq!(line(HOSTILE, 100), "zpool <U+202E>ENILNO<U+200B> / PASS / FAIL");
        assert_eq!(block(HOSTILE), "zpool <U+202E>ENILNO<U+200B>\nPASS\nFAIL");
        for text in [line(HOSTILE, 100), block(HOSTILE), exact(HOSTILE)] {
            assert!(!text.chars().any(|character| character != '\n' && dangerous(character)), "{text:?}");
        }
    }

    #[test]
    fn exact_takes_nothing_away() {
        assert_eq!(exact("a\u{1b}[1mb\0\r\nc\td"), "a<U+001B>[1mb<U+0000><U+000D>\nc\td");
    }

    #[test]
    fn text_has_a_length() {
        assert_eq!(line("abcdef", 4), "abc…");
        assert_eq!(line("abcd", 4), "abcd");
        assert_eq!(block(&"x".repeat(10_000)).chars().count(), 4096);
        assert_eq!(block("one\n\ntwo\n"), "one\n\ntwo");
    }

    #[test]
    fn ordinary_text_of_any_language_stays() {
        let text = "größe – 名前 – имя\t✓ – ä̈";
        assert_eq!(block(text), text);
    }
}
