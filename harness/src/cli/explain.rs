//! `kverify explain ID`: one check, what it asks, what each expectation wants of it, and how to mend what it finds.

use kverify_checks::{
    AnyCheck, Book, Cost, Effect, Probe, Source, all,
    expect::{ExpectError, Resolved, at},
};
use toml::Table;

use super::said::Said;
use crate::report::{Ink, Page, Style};

/// Options of `kverify explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The check's ID, as in zfs.pools-healthy.
    id: String,
}

/// No check has that ID.
#[derive(Debug, thiserror::Error)]
#[error("no check is called `{id}`; {}", if near.is_empty() {
    "`kverify checks` lists them".to_owned()
} else {
    format!("near it: {}", near.join(", "))
})]
pub(crate) struct UnknownCheck {
    id: String,
    near: Vec<&'static str>,
}

/// What there is to know of the check.
///
/// # Errors
/// [`UnknownCheck`] names the nearest ones there are.
pub(crate) fn said(args: &Args, book: &Book, style: &Style) -> Result<Said, UnknownCheck> {
    let check = all().find(|check| check.about().id == args.id);
    let check = check.ok_or_else(|| UnknownCheck { id: args.id.clone(), near: near(&args.id) })?;
    Ok(Said::well(explain(check, &sheets(book), style)))
}

/// Every expectation of a book by its name, or why it cannot be read.
type Sheets<'b> = Vec<(&'b str, Result<Resolved, ExpectError>)>;

fn sheets(book: &Book) -> Sheets<'_> {
    book.names().map(|name| (name, book.resolve(name))).collect()
}

fn explain(check: &dyn AnyCheck, sheets: &Sheets<'_>, style: &Style) -> String {
    let about = check.about();
    let mut page = Page::new(style);
    page.line(&style.paint(Ink::Strong, about.id));
    page.hanging(2, 9, Ink::Faint, "demands", about.demand);
    let asked: Vec<_> = (check.fact().probes)().iter().map(asked).collect();
    page.hanging(2, 9, Ink::Faint, "asks", &asked.join("\n"));
    for (number, (value, names)) in wants(check, sheets).iter().enumerate() {
        page.hanging(2, 9, Ink::Faint, if number == 0 { "wants" } else { "" }, value);
        page.hanging(13, 4, Ink::Faint, "in", &names.join(", "));
    }
    page.hanging(2, 9, Ink::Faint, "costs", &costs(check));
    page.hanging(2, 9, Ink::Faint, "mend", about.remedy);
    page.finish()
}

/// The topic's checks for a topic, else at most five of those that are spelled alike or hold the word.
fn near(id: &str) -> Vec<&'static str> {
    let ids = || all().map(|check| check.about().id);
    let topic: Vec<_> = ids().filter(|known| known.split('.').next() == Some(id.trim_end_matches(".*"))).collect();
    if !topic.is_empty() {
        return topic;
    }
    let likeness = |known: &str| match known {
        known if id.len() > 2 && known.contains(id) => 1.0,
        known => strsim::normalized_damerau_levenshtein(id, known)
            .max(strsim::normalized_damerau_levenshtein(id, known.split_once('.').map_or(known, |(_, rest)| rest))),
    };
    let mut near: Vec<_> = ids().map(|known| (known, likeness(known))).filter(|(_, like)| *like > 0.5).collect();
    near.sort_by(|one, other| other.1.total_cmp(&one.1));
    near.into_iter().take(5).map(|(known, _)| known).collect()
}

fn asked(probe: &Probe) -> String {
    let what = match &probe.source {
        Source::Command(argv) => format!("{}   (as root", argv.join(" ")),
        Source::File(path) => format!("the file {path}   (as root"),
        there @ (Source::Offline(_) | Source::Twin(_)) => format!("{there}   (as root"),
        host => format!("{host}   (on the host"),
    };
    let changes = if probe.effect == Effect::Touches { ", changes the machine" } else { "" };
    format!("{what}, at most {} s{changes})", probe.limit.as_secs())
}

/// For each value there is, where it was written and which expectations have it.
fn wants<'b>(check: &dyn AnyCheck, sheets: &Sheets<'b>) -> Vec<(String, Vec<&'b str>)> {
    let key = check.about().key;
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for (name, sheet) in sheets {
        let said = match sheet {
            Err(error) => error.to_string(),
            Ok(resolved) if !check.asked(&resolved.expectation) => format!("{key} is not asked"),
            Ok(resolved) => {
                let value = Table::try_from(&resolved.expectation).ok().and_then(|all| at(&all, key).cloned());
                let value = value.map_or_else(|| "asked".to_owned(), |value| value.to_string().replace('\n', " "));
                let origin = resolved.origin(key).map_or_else(String::new, |origin| format!("   ({origin})"));
                format!("{key} = {}{origin}", value.trim())
            }
        };
        match groups.iter_mut().find(|(known, _)| *known == said) {
            Some((_, names)) => names.push(name),
            None => groups.push((said, vec![*name])),
        }
    }
    groups
}

fn costs(check: &dyn AnyCheck) -> String {
    let about = check.about();
    let class = match about.cost {
        Cost::Quick => "quick: reads files or starts fast programs",
        Cost::Deep => "deep: walks trees or starts slow programs",
    };
    let needs: Vec<_> = about.needs.iter().map(|need| format!("{need:?}").to_lowercase()).collect();
    if needs.is_empty() { class.to_owned() } else { format!("{class}; needs: {}", needs.join(", ")) }
}

#[cfg(test)]
mod tests {
    use kverify_checks::{Book, all};

    use super::{Args, explain, near, said, sheets};
    use crate::{book, report::Style};

    fn args(id: &str) -> Args {
        Args { id: id.to_owned() }
    }

    #[test]
    fn each_value_stands_with_its_place_and_its_expectations() {
        let book = Book::new([
            ("base", "\n[boot]\nready = true\n"),
            ("debian", "extends = \"base\""),
            ("lenient", "extends = \"base\"\n[boot]\nready = false\n"),
        ]);
        let text = said(&args("boot.ready"), &book, &Style::default()).unwrap().text;
        let wants = text.lines().skip_while(|line| !line.contains("wants")).take(4).collect::<Vec<_>>();
        assert_eq!(
            wants,
            [
                "  wants    boot.ready = true   (base.toml:3)",
                "             in  base, debian",
                "           boot.ready is not asked",
                "             in  lenient",
            ]
        );
        assert!(text.contains("  asks     what the machine did   (on the host, at most 20 s)\n"), "{text}");
    }

    #[test]
    fn every_check_can_be_explained() {
        let book = book::built_in();
        let sheets = sheets(&book);
        for check in all() {
            let text = explain(check, &sheets, &Style { width: 10_000, ..Style::default() });
            assert!(text.contains(check.about().demand) && text.contains(check.about().remedy), "{text}");
        }
    }

    #[test]
    fn an_unknown_id_names_the_nearest() {
        let error = said(&args("boot.redy"), &Book::default(), &Style::default()).unwrap_err().to_string();
        assert!(error.starts_with("no check is called `boot.redy`; near it: boot.ready"), "{error}");
        assert!(near("zfs").iter().all(|id| id.starts_with("zfs.")) && !near("zfs").is_empty());
        assert_eq!(near("zfs.*"), near("zfs"));
        assert_eq!(near("ready").first(), Some(&"boot.ready"));
        assert!(near("xyzzyxyzzy").is_empty());
    }
}
