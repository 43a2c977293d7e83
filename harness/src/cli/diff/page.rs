//! A diff as people read it: a heading for each group with what became of how many, then the changes, terse and sorted.

use kverify_checks::traits::Scale;
use unicode_width::UnicodeWidthStr as _;

use crate::{
    diff::{Change, Changed, Diff, Kind, Measured, NotCompared, Side},
    report::{Detail, Ink, Page, Style, plain},
};

/// Most changes of a kind that are listed where not all are asked for.
const LISTED: usize = 15;
/// Most characters of a name, and of a value.
const NAME: usize = 120;
const VALUE: usize = 300;
/// The widest column of names; what is longer pushes its value to the right.
const COLUMN: usize = 36;

/// The whole diff; long groups in full where `all` is wanted.
pub(super) fn text(diff: &Diff, all: bool, style: &Style) -> String {
    let mut page = Page::new(style);
    let name = |side: &Side| style.paint(Ink::Strong, &plain::line(&side.subject.name, NAME));
    page.line(&format!("{} → {}", name(&diff.a), name(&diff.b)));
    for (label, side) in [("a", &diff.a), ("b", &diff.b)] {
        page.field(label, &plain::line(&side.subject.digest, NAME));
    }
    page.gap();
    for group in &diff.groups {
        changed(&mut page, group, all);
    }
    if style.detail > Detail::Brief {
        measured(&mut page, &diff.measured);
        not_compared(&mut page, &diff.not_compared);
    }
    page.gap();
    page.line(&sums(diff, style));
    page.finish()
}

fn changed(page: &mut Page<'_>, group: &Changed, all: bool) {
    let of = |kind: Kind| group.changes.iter().filter(move |change| change.kind == kind);
    let counts = Kind::ALL.into_iter().filter_map(|kind| {
        let count = of(kind).count();
        (count > 0).then(|| format!("{count} {}", kind.word()))
    });
    if page.style.detail > Detail::Brief {
        page.gap();
    }
    let heading = page.style.paint(Ink::Strong, &plain::line(&group.group, NAME));
    page.line(&format!("{heading}  {}", counts.collect::<Vec<_>>().join(", ")));
    if page.style.detail == Detail::Brief {
        return;
    }
    let listed = |kind: &Kind| all || of(*kind).count() <= LISTED;
    let shown = || Kind::ALL.into_iter().filter(listed).flat_map(of);
    let widest = shown().map(|change| 2 + plain::line(&change.name, NAME).width()).max().unwrap_or(0);
    for change in shown() {
        row(page, change, widest.min(COLUMN));
    }
    for kind in Kind::ALL.into_iter().filter(|kind| !listed(kind)) {
        page.line(&format!("  {} {}; --all lists them", of(kind).count(), kind.word()));
    }
}

fn row(page: &mut Page<'_>, change: &Change, widest: usize) {
    let (sign, ink) = match change.kind {
        Kind::Added => ('+', Ink::Good),
        Kind::Removed => ('-', Ink::Bad),
        Kind::Upgraded => ('↑', Ink::Faint),
        Kind::Downgraded => ('↓', Ink::Unsure),
        Kind::Changed => ('~', Ink::Faint),
    };
    let (name, value) = (plain::line(&change.name, NAME), value(change));
    if name.width().max(COLUMN - 2) + value.width() + 6 <= page.width() || name.width() + 2 <= COLUMN {
        page.hanging(2, widest + 2, ink, &format!("{sign} {name}"), &value);
        return;
    }
    page.hanging(2, 2, ink, &sign.to_string(), &name);
    page.hanging(6, 0, Ink::Faint, "", &value);
}

fn value(change: &Change) -> String {
    let told = |value: &str| plain::line(value, VALUE);
    match (change.apart(), &change.a, &change.b) {
        (Some([a, b]), ..) if a.is_empty() && b.is_empty() => "the same in another order".to_owned(),
        (Some([a, b]), ..) if a.is_empty() => format!("with {}", told(&b)),
        (Some([a, b]), ..) if b.is_empty() => format!("without {}", told(&a)),
        (Some([a, b]), ..) => format!("{} → {}", told(&a), told(&b)),
        (None, Some(a), Some(b)) => {
            let [a, b] = [a, b].map(|value| if value.is_empty() { "(nothing)".to_owned() } else { told(value) });
            format!("{a} → {b}")
        }
        (None, one, other) => one.as_ref().or(other.as_ref()).map(|value| told(value)).unwrap_or_default(),
    }
}

fn measured(page: &mut Page<'_>, measured: &[Measured]) {
    if measured.is_empty() {
        return;
    }
    page.gap();
    page.line(&format!("{}  differs from run to run, and decides nothing", page.style.paint(Ink::Strong, "measured")));
    for one in measured {
        let number = |number: f64| match one.scale {
            Scale::Bytes => format!("{:.1} MiB", number / 1_048_576.0),
            _ => format!("{number:.1} s"),
        };
        let name = format!("~ {}: {}", plain::line(&one.group, NAME), plain::line(&one.name, NAME));
        page.hanging(2, COLUMN, Ink::Faint, &name, &format!("{} → {}", number(one.a), number(one.b)));
    }
}

fn not_compared(page: &mut Page<'_>, left: &[NotCompared]) {
    if left.is_empty() {
        return;
    }
    page.gap();
    page.line(&page.style.paint(Ink::Strong, "not compared"));
    for NotCompared { group, fact, of, why } in left {
        let why = format!("not known of {of}: {} ({})", plain::line(why, VALUE), plain::line(fact, NAME));
        page.hanging(2, 18, Ink::Unsure, &plain::line(group, NAME), &why);
    }
}

/// What all of it says, in one line.
fn sums(diff: &Diff, style: &Style) -> String {
    let count = |number: usize, what: &str| if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") };
    let changes = diff.groups.iter().map(|group| group.changes.len()).sum();
    let said = match diff.exit {
        0 => style.paint(Ink::Good, "no difference"),
        2 => style.paint(Ink::Unsure, "no difference in what was compared"),
        _ => {
            let many = format!("  {} in {}", count(changes, "change"), count(diff.groups.len(), "group"));
            style.paint(Ink::Unsure, "different") + &many
        }
    };
    let same = if diff.same_image { "; both are of the same image, byte by byte" } else { "" };
    let left = match diff.not_compared.len() {
        0 => String::new(),
        left => format!("; {} not compared", count(left, "part")),
    };
    format!("{said}{same}{left}")
}

#[cfg(test)]
mod tests {
    use kverify_checks::{Group, traits::Scale};

    use unicode_width::UnicodeWidthStr as _;

    use super::text;
    use crate::{
        diff::{
            Diff,
            samples::{before_and_after, with},
        },
        report::{Detail, Style, plain},
    };

    fn shown(all: bool, style: &Style) -> String {
        let (before, after) = before_and_after();
        text(&Diff::between(&before, &after).unwrap(), all, style)
    }

    #[test]
    fn a_changed_machine_reads_like_release_notes() {
        insta::assert_snapshot!("changed.txt", shown(false, &Style::default()));
        insta::assert_snapshot!(
            "changed_brief.txt",
            shown(false, &Style { detail: Detail::Brief, ..Style::default() })
        );
        let coloured = shown(false, &Style { color: true, ..Style::default() });
        assert!(coloured.contains("\u{1b}[32m+ telnet\u{1b}[0m"), "{coloured:?}");
        assert!(!shown(true, &Style::default()).contains("--all"));
    }

    #[test]
    fn of_long_lists_only_what_differs_is_told() {
        let of = |a: &str, b: &str| {
            let [a, b] = [a, b].map(|value| with(Group::Sshd, Scale::Text, &[("ciphers", value)]));
            let text = text(&Diff::between(&a, &b).unwrap(), false, &Style::default());
            text.lines().find_map(|line| line.strip_prefix("  ~ ciphers  ")).unwrap().to_owned()
        };
        assert_eq!(of("a,b,c", "a,b,c,d"), "with d");
        assert_eq!(of("a, b, c", "c"), "without a, b");
        assert_eq!(of("a,b,c", "a,x,c"), "b → x");
        assert_eq!(of("a,b,c", "c,b,a"), "the same in another order");
        assert_eq!(of("a,b", "a,c"), "a,b → a,c");
        assert_eq!(of("a,b,c", "d,e,f"), "a,b,c → d,e,f");
    }

    #[test]
    fn the_same_image_is_said_to_be_the_same() {
        let (before, _) = before_and_after();
        let text = text(&Diff::between(&before, &before).unwrap(), false, &Style::default());
        assert!(text.ends_with("\nno difference; both are of the same image, byte by byte\n"), "{text}");
    }

    #[test]
    fn long_groups_are_folded_and_hostile_text_is_made_harmless() {
        let names: Vec<_> = (0..20).map(|number| format!("package-{number:02}")).collect();
        let many = |version| names.iter().map(|name| (name.as_str(), version)).collect::<Vec<_>>();
        let (mut a, mut b) = (many("1"), many("2"));
        let long = "x".repeat(100_000);
        b.push(("evil\u{1b}[2J\u{202e}gnp", "1\nall hold\r\u{9b}31m"));
        b.push((&long, &long));
        a.push(("empty", ""));
        b.push(("empty", "1"));
        let [a, b] = [a, b].map(|values| with(Group::Packages, Scale::Dpkg, &values));
        let diff = Diff::between(&a, &b).unwrap();
        for (all, most) in [(false, 20), (true, 45)] {
            let text = text(&diff, all, &Style::default());
            let left = text.chars().find(|at| *at != '\n' && plain::dangerous(*at));
            assert_eq!(left, None, "{text}");
            assert!(text.lines().count() < most && text.lines().all(|line| line.width() <= 80), "{text}");
            assert!(text.contains("+ evil<U+202E>gnp"), "{text}");
            assert!(text.contains("~ empty") && text.contains("(nothing) → 1"), "{text}");
            assert_eq!(text.contains("  20 upgraded; --all lists them\n"), !all, "{text}");
            assert_eq!(text.contains("↑ package-07"), all, "{text}");
        }
    }
}
