//! A page of text that is being written: lines, and labelled fields folded to its width.
//!
//! Widths are columns of a terminal, not bytes. Text is folded before it is coloured, so that colours never count.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::report::style::{Ink, Style};

/// Width of a field's label, its blank included.
const LABEL: usize = 6;

pub(crate) struct Page<'a> {
    pub(crate) style: &'a Style,
    text: String,
}

impl<'a> Page<'a> {
    pub(crate) fn new(style: &'a Style) -> Self {
        Self { style, text: String::new() }
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }

    pub(crate) fn width(&self) -> usize {
        self.style.width.max(40)
    }

    /// A line as it is, already as narrow as it has to be.
    pub(crate) fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// An empty line between two parts; none at the top.
    pub(crate) fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// `label` and then `value`, indented by two and folded below itself; lines of `value` stay lines.
    pub(crate) fn field(&mut self, label: &str, value: &str) {
        self.hanging(2, LABEL, Ink::Faint, label, value);
    }

    /// `label` in its colour at `indent`, then `value` from `indent + width` on, folded below itself.
    pub(crate) fn hanging(&mut self, indent: usize, width: usize, ink: Ink, label: &str, value: &str) {
        let column = indent + width.max(label.width() + 2);
        let mut head = format!("{:indent$}{}", "", self.style.paint(ink, label));
        head.push_str(&" ".repeat(column - indent - label.width()));
        let room = self.width().saturating_sub(column).max(20);
        for line in value.split('\n').flat_map(|line| fold(line, room)) {
            self.line(&format!("{head}{line}"));
            head = " ".repeat(column);
        }
    }
}

/// `line` in pieces of at most `width` columns, broken at blanks where there are any.
fn fold(line: &str, width: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for word in line.split_inclusive(' ') {
        let last = pieces.last().map_or(0, |piece| piece.width());
        if last > 0 && last + word.trim_end().width() > width {
            pieces.push(String::new());
        }
        for character in word.chars() {
            let full = pieces.last().is_some_and(|piece| piece.width() + character.width().unwrap_or(0) > width);
            if full && character != ' ' {
                pieces.push(String::new());
            }
            pieces.last_mut().into_iter().for_each(|piece| piece.push(character));
        }
    }
    pieces.iter().map(|piece| piece.trim_end().to_owned()).collect()
}

/// `text` cut to `width` columns, the last then `…`.
pub(crate) fn shorten(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for character in text.chars() {
        if kept.width() + character.width().unwrap_or(0) >= width {
            break;
        }
        kept.push(character);
    }
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::{fold, shorten};

    #[test]
    fn folding_keeps_words_whole_where_it_can() {
        assert_eq!(fold("one two three", 8), ["one two", "three"]);
        assert_eq!(fold("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert_eq!(fold("", 8), [""]);
        assert_eq!(fold("名前名前", 4), ["名前", "名前"]);
    }

    #[test]
    fn shortening_counts_columns() {
        assert_eq!(shorten("abcdef", 6), "abcdef");
        assert_eq!(shorten("abcdefg", 6), "abcde…");
        assert!(shorten("名前名前", 6).width() <= 6);
    }
}
