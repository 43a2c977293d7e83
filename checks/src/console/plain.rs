//! Console lines without what terminals do with them.
//!
//! Firmware places text by cursor movement, systemd colours it, and neither is part of what a line says.

use std::borrow::Cow;

const ESCAPE: char = '\u{1b}';
const BELL: char = '\u{7}';

/// `line` without escape sequences and control characters; tabs stay.
#[must_use]
pub fn plain(line: &str) -> Cow<'_, str> {
    if !line.chars().any(unwanted) {
        return Cow::Borrowed(line);
    }
    let mut kept = String::with_capacity(line.len());
    let mut rest = line.chars();
    while let Some(next) = rest.next() {
        if next == ESCAPE {
            skip_sequence(&mut rest);
        } else if !unwanted(next) {
            kept.push(next);
        }
    }
    Cow::Owned(kept)
}

fn unwanted(character: char) -> bool {
    character != '\t' && character.is_control()
}

/// Passes over what follows an escape character; a sequence that the line's end cuts off is gone with it.
fn skip_sequence(rest: &mut std::str::Chars<'_>) {
    match rest.next() {
        // CSI: parameters, then one final byte.
        Some('[') => {
            rest.find(|character| ('\u{40}'..='\u{7e}').contains(character));
        }
        // Strings (title, device control): up to BEL or to the escape of `ESC \`, whose backslash goes too.
        Some(']' | 'P' | 'X' | '^' | '_') => {
            if rest.find(|character| matches!(*character, BELL | ESCAPE)) == Some(ESCAPE) {
                rest.next();
            }
        }
        // Character sets and the like: intermediate bytes, then one final byte.
        Some('\u{20}'..='\u{2f}') => {
            rest.find(|character| !('\u{20}'..='\u{2f}').contains(character));
        }
        Some(_) | None => {}
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::plain;

    #[test]
    fn colours_cursor_movements_and_titles_go() {
        assert_eq!(
            plain("[\u{1b}[0;32m  OK  \u{1b}[0m] Reached target \u{1b}[0;1;39mlocal-fs.target\u{1b}[0m.\r"),
            "[  OK  ] Reached target local-fs.target."
        );
        assert_eq!(plain("\u{1b}[2J\u{1b}[01;01H\u{1b}[=3hBdsDxe: loading"), "BdsDxe: loading");
        assert_eq!(plain("\u{1b}]0;title\u{7}a\u{1b}]8;;x\u{1b}\\b\u{1b}(Bc\u{1b}7d\0\u{8}"), "abcd");
        assert_eq!(plain("cut \u{1b}[0;3"), "cut ");
    }

    #[test]
    fn a_line_without_them_is_not_copied() {
        assert!(matches!(plain("one\ttwo"), Cow::Borrowed("one\ttwo")));
    }
}
