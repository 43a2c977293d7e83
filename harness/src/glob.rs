//! Patterns of names on the command line, such as `zfs.*`.

use regex::Regex;

/// What a pattern means: `*` is any part of a name, `?` any one character, all else itself.
pub(crate) fn glob(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!("^{}$", regex::escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")))
}
