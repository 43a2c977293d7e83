//! Lists of what may be there all the same, and of what was found.

/// Whether a list of names, with `*` for any part, has one that matches.
pub(crate) fn allows(list: &[String], name: &str) -> bool {
    list.iter().any(|pattern| matches(pattern, name))
}

fn matches(pattern: &str, name: &str) -> bool {
    let Some((before, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(before) else { return false };
    (0..=name.len()).filter(|at| name.is_char_boundary(*at)).any(|at| matches(rest, &name[at..]))
}

/// What was found, shortly: the first few, and how many more.
pub(crate) fn some(found: &[String], none: &str) -> String {
    const SHOWN: usize = 4;
    match found {
        [] => none.to_owned(),
        found if found.len() <= SHOWN => found.join(", "),
        found => format!("{}, and {} more", found[..SHOWN].join(", "), found.len() - SHOWN),
    }
}

/// What a list demands: nothing but what is in it.
pub(crate) fn at_most(list: &[String]) -> String {
    if list.is_empty() { "none".to_owned() } else { format!("at most {}", list.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::{matches, some};

    #[test]
    fn a_star_is_any_part() {
        for (pattern, name) in [("/a", "/a"), ("/a*", "/a"), ("/a*", "/a/b"), ("*.key", "/é.key"), ("/*/b*", "/a/b")] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("/a", "/ab"), ("/a*c", "/ab"), ("*.key", "/a.keys"), ("", "/a")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn long_lists_are_cut() {
        let list: Vec<_> = (0..6).map(|number| number.to_string()).collect();
        assert_eq!(some(&list, "none"), "0, 1, 2, 3, and 2 more");
        assert_eq!(some(&list[..4], "none"), "0, 1, 2, 3");
        assert_eq!(some(&[], "none"), "none");
    }
}
