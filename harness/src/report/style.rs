//! How the text view looks: width, colours, how much of it.
//!
//! Whether there is a terminal and what `NO_COLOR` says is for the caller to find out.

use std::path::PathBuf;

use anstyle::{AnsiColor, Effects};

/// How much the text view tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// What failed or could not be told, and the verdict.
    Brief,
    /// A row per check as well.
    #[default]
    Usual,
    /// Also what was not asked, by name.
    Full,
}

/// How the text view looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether to colour with ANSI sequences.
    pub color: bool,
    /// Columns to fill; at least 40 are.
    pub width: usize,
    /// How much to tell.
    pub detail: Detail,
    /// The folder that holds the evidence files, to be named beside what failed.
    pub folder: Option<PathBuf>,
}

impl Default for Style {
    fn default() -> Self {
        Self { color: false, width: 80, detail: Detail::Usual, folder: None }
    }
}

/// What a piece of text is, and with it its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    /// It holds.
    Good,
    /// It does not.
    Bad,
    /// It could not be told.
    Unsure,
    /// A heading.
    Strong,
    /// A label, a place.
    Faint,
}

impl Style {
    /// `text` in the colour of `ink`, if colours are wanted.
    pub(crate) fn paint(&self, ink: Ink, text: &str) -> String {
        if !self.color || text.is_empty() {
            return text.to_owned();
        }
        let style = match ink {
            Ink::Good => AnsiColor::Green.on_default(),
            Ink::Bad => AnsiColor::Red.on_default().effects(Effects::BOLD),
            Ink::Unsure => AnsiColor::Yellow.on_default().effects(Effects::BOLD),
            Ink::Strong => anstyle::Style::new().effects(Effects::BOLD),
            Ink::Faint => anstyle::Style::new().effects(Effects::DIMMED),
        };
        format!("{style}{text}{style:#}")
    }
}
