//! A diff as one HTML file that needs nothing beside it, all of it listed.
//!
//! Whatever a guest or a file name brought in goes through [`plain`] and is escaped.

use kverify_checks::traits::Scale;
use minijinja::value::Serde;
use serde::Serialize;

use super::{Changed, Diff, Kind, Measured, NotCompared, Side};
use crate::report::{
    html::{STYLE, environment},
    plain,
};

/// The diff as HTML.
pub(crate) fn page(diff: &Diff) -> String {
    let mut environment = environment();
    environment.add_template("diff", include_str!("html/diff.html")).expect("the template is sound");
    let template = environment.get_template("diff").expect("it was added");
    template.render(Serde(Shown::of(diff))).expect("all that the template names is there")
}

/// What the template shows.
#[derive(Serialize)]
struct Shown {
    style: &'static str,
    word: &'static str,
    ink: &'static str,
    same: bool,
    sides: [Image; 2],
    groups: Vec<Table>,
    measured: Vec<[String; 3]>,
    not_compared: Vec<[String; 3]>,
}

#[derive(Serialize)]
struct Image {
    letter: char,
    name: String,
    digest: String,
    by: String,
}

#[derive(Serialize)]
struct Table {
    name: String,
    count: String,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    kind: &'static str,
    ink: &'static str,
    name: String,
    a: String,
    b: String,
}

impl Shown {
    fn of(diff: &Diff) -> Self {
        Self {
            style: STYLE,
            word: match diff.exit {
                0 => "no difference",
                2 => "no difference in what was compared",
                _ => "different",
            },
            ink: if diff.exit == 0 { "good" } else { "unsure" },
            same: diff.same_image,
            sides: [Image::of('a', &diff.a), Image::of('b', &diff.b)],
            groups: diff.groups.iter().map(Table::of).collect(),
            measured: diff.measured.iter().map(measured).collect(),
            not_compared: diff.not_compared.iter().map(not_compared).collect(),
        }
    }
}

impl Image {
    fn of(letter: char, side: &Side) -> Self {
        Self {
            letter,
            name: line(&side.subject.name),
            digest: line(&side.subject.digest),
            by: format!("kverify {}, on {}", line(&side.kverify), line(&side.machine)),
        }
    }
}

impl Table {
    fn of(group: &Changed) -> Self {
        let rows: Vec<_> = group.changes.iter().map(Row::of).collect();
        let count = Kind::ALL.iter().filter_map(|kind| {
            let count = group.changes.iter().filter(|change| change.kind == *kind).count();
            (count > 0).then(|| format!("{count} {}", kind.word()))
        });
        Self { name: line(&group.group), count: count.collect::<Vec<_>>().join(", "), rows }
    }
}

impl Row {
    fn of(change: &super::Change) -> Self {
        let value = |value: &Option<String>| value.as_deref().map(line).unwrap_or_default();
        // Of long lists the beginnings are the same: what counts is what is in one of them.
        let part = |part: &str| if part.is_empty() { "…".to_owned() } else { line(&format!("… {part} …")) };
        let ink = match change.kind {
            Kind::Added => "good",
            Kind::Removed => "bad",
            Kind::Downgraded => "unsure",
            Kind::Upgraded | Kind::Changed => "",
        };
        let (a, b) = match change.apart() {
            Some([a, b]) if a.is_empty() && b.is_empty() => ("…".to_owned(), "the same in another order".to_owned()),
            Some([a, b]) => (part(&a), part(&b)),
            None => (value(&change.a), value(&change.b)),
        };
        Self { kind: change.kind.word(), ink, name: line(&change.name), a, b }
    }
}

fn measured(one: &Measured) -> [String; 3] {
    let number = |number: f64| match one.scale {
        Scale::Bytes => format!("{:.1} MiB", number / 1_048_576.0),
        _ => format!("{number:.1} s"),
    };
    [format!("{}: {}", line(&one.group), line(&one.name)), number(one.a), number(one.b)]
}

fn not_compared(left: &NotCompared) -> [String; 3] {
    [line(&left.group), format!("not known of {} ({})", left.of, line(&left.fact)), line(&left.why)]
}

fn line(text: &str) -> String {
    plain::line(text, 1100)
}

#[cfg(test)]
mod tests {
    use kverify_checks::{Group, traits::Scale};
    use quick_xml::{Reader, events::Event};

    use super::page;
    use crate::diff::{
        Diff,
        samples::{before_and_after, with},
    };

    /// It is well-formed XML, and gives the names of its elements.
    fn elements(page: &str) -> Vec<String> {
        let mut reader = Reader::from_str(page);
        let mut names = Vec::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) => names.push(String::from_utf8(start.name().as_ref().to_vec()).unwrap()),
                Event::Eof => return names,
                _ => {}
            }
        }
    }

    #[test]
    fn the_page_is_whole_and_holds_all_of_it() {
        let (before, after) = before_and_after();
        let diff = Diff::between(&before, &after).unwrap();
        let page = page(&diff);
        let names = elements(&page);
        let rows: usize = diff.groups.iter().map(|group| group.changes.len() + 1).sum();
        let more = diff.not_compared.len() + 1;
        assert_eq!(names.iter().filter(|name| *name == "tr").count(), rows + more, "a heading for each table");
        assert!(page.contains("telnet") && page.contains("not known of b (modules.loaded-modules)"));
        assert!(page.len() < 1 << 20);
    }

    #[test]
    fn hostile_text_is_escaped() {
        let a = with(Group::Users, Scale::Text, &[]);
        let b = with(Group::Users, Scale::Text, &[("<script>x</script>\u{202e}", "</td>\u{1b}[2J")]);
        let page = page(&Diff::between(&a, &b).unwrap());
        assert!(!elements(&page).iter().any(|name| name == "script"));
        assert!(page.contains("&lt;script&gt;") && page.contains("&lt;U+202E&gt;"), "{page}");
        assert!(!page.contains('\u{1b}') && !page.contains('\u{202e}'));
    }
}
