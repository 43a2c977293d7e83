//! A replay as people read it: a line for each check of each recording, then what could not be judged, then the sums.

use kverify_checks::{
    Outcome, Status,
    replay::{Compared, Replayed},
};

use crate::{
    replay::Replay,
    report::{Detail, Ink, Page, Style, mark, plain},
};

/// Most characters of what was found or wanted.
const VALUE: usize = 300;

/// The whole replay.
pub(super) fn table(replay: &Replay, style: &Style) -> String {
    let mut page = Page::new(style);
    let shown = |one: &&Replayed| match style.detail {
        Detail::Brief => matches!(one.counts_as(), Status::Fail | Status::Error),
        Detail::Usual => one.outcome.status != Status::Skip || one.counts_as() == Status::Fail,
        Detail::Full => true,
    };
    let widest = replay.checks().filter(shown).map(|one| one.outcome.check.len()).max().unwrap_or(0);
    for played in &replay.recordings {
        let file = path(&played.file);
        for one in played.checks.iter().filter(shown) {
            let (ink, mark) = word(one);
            let word = style.paint(ink, &format!("{mark:5}"));
            let remark = remark(one, style.detail);
            page.line(&format!("{word}  {:widest$}  {file}  {}", one.outcome.check, style.paint(ink, &remark)));
        }
    }
    for unread in &replay.unread {
        let (ink, mark) = mark(Status::Error);
        let why = plain::line(&unread.why, 1000);
        page.line(&format!("{}  {}: {why}", style.paint(ink, mark), path(&unread.path)));
    }
    page.gap();
    page.line(&sums(replay, style));
    page.finish()
}

fn path(path: &str) -> String {
    plain::line(path, usize::MAX)
}

/// The colour and the word of a check: loud where it is not as it must be.
fn word(one: &Replayed) -> (Ink, String) {
    let (ink, word) = mark(one.outcome.status);
    match one.compared {
        Compared::Nothing => (ink, word.to_owned()),
        Compared::OfOthers => (Ink::Faint, word.to_lowercase()),
        Compared::AsSaid => (Ink::Good, word.to_lowercase()),
        Compared::NotAsSaid { .. } => (Ink::Bad, word.to_owned()),
    }
}

/// What there is to say beside the word.
fn remark(one: &Replayed, detail: Detail) -> String {
    let about = match &one.compared {
        Compared::Nothing => None,
        Compared::OfOthers => Some("nothing said of it".to_owned()),
        Compared::AsSaid => Some("as said".to_owned()),
        Compared::NotAsSaid { is, got } => {
            let with = got.as_ref().map_or_else(String::new, |got| format!(" with `{}`", plain::line(got, VALUE)));
            Some(format!("not as said: said {}{with}, is {}", name(*is), name(one.outcome.status)))
        }
    };
    let loud = matches!(one.compared, Compared::NotAsSaid { .. });
    if one.outcome.status == Status::Pass && !loud && detail < Detail::Full {
        return String::new();
    }
    about.into_iter().chain(found(&one.outcome)).collect::<Vec<_>>().join("; ")
}

/// What was wanted and found, or why nothing was.
fn found(outcome: &Outcome) -> Vec<String> {
    let value = |text: &String| plain::line(text, VALUE);
    let at = outcome.want_at.as_ref().map_or_else(String::new, |at| format!(" ({})", plain::line(at, VALUE)));
    let want = outcome.want.as_ref().filter(|_| outcome.status == Status::Fail);
    let want = want.map(|want| format!("want {}{at}", value(want)));
    let got = outcome.got.as_ref().map(|got| format!("got {}", value(got)));
    want.into_iter().chain(got).chain(outcome.why.as_ref().map(value)).collect()
}

fn name(status: Status) -> &'static str {
    match status {
        Status::Pass => "pass",
        Status::Fail => "fail",
        Status::Error => "error",
        Status::Skip => "not asked",
    }
}

/// The numbers, in one line.
fn sums(replay: &Replay, style: &Style) -> String {
    let (ink, word) = match replay.exit {
        0 => (Ink::Good, "as it must be"),
        1 => (Ink::Bad, "not as it must be"),
        _ => (Ink::Unsure, "no verdict"),
    };
    let is = |status| replay.checks().filter(|one| one.outcome.status == status).count();
    let not_as_said = replay.checks().filter(|one| matches!(one.compared, Compared::NotAsSaid { .. })).count();
    let filtered: usize = replay.recordings.iter().map(|played| played.filtered).sum();
    let more =
        [(not_as_said, "not as said"), (filtered, "left out by --only"), (replay.unread.len(), "could not be judged")];
    let more = more.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("; {number} {what}"));
    let plans = (replay.plans > 0).then(|| format!("; {} left out", count(replay.plans, "plan")));
    format!(
        "{}  {} against {}: {}, {} passed, {} failed, {} in error, {} not asked{}",
        style.paint(ink, word),
        count(replay.recordings.len(), "recording"),
        plain::line(&replay.expectation, VALUE),
        count(replay.checks().count(), "check"),
        is(Status::Pass),
        is(Status::Fail),
        is(Status::Error),
        is(Status::Skip),
        more.chain(plans).collect::<String>(),
    )
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::table;
    use crate::{
        book,
        replay::{
            Replay,
            samples::{no_tool, says, well, write},
        },
        report::{Detail, Style},
        run::{Filter, named},
    };

    /// What is shown of a folder with each kind of outcome in it.
    fn shown(style: &Style) -> String {
        let folder = tempfile::tempdir().unwrap();
        let healthy = |is: &str| says("zfs.pools-healthy", is);
        write(
            folder.path(),
            &[
                ("as-said.toml", &no_tool(&healthy("error"))),
                ("broken.toml", "fact = "),
                ("not-as-said.toml", &well(&(healthy("fail") + "got = 'DEGRADED'\n"))),
                ("nothing-said.toml", &well("").replace("rpool", "tank\\u001b[2J")),
                ("plan.toml", "[[case]]\nfact = 'zfs.pool-status'\nname = 'a'\nabout = 'b'\n"),
            ],
        );
        let sheet = named(&mut book::built_in(), "debian-13-server").unwrap();
        let only = Filter::new(&["zfs.pool-named".to_owned(), "zfs.pools-healthy".to_owned()], &[]).unwrap();
        let replay = Replay::of(&[folder.path().to_owned()], &sheet, &only);
        table(&replay, style).replace(&folder.path().display().to_string(), "DIR")
    }

    #[test]
    fn each_kind_of_outcome() {
        insta::assert_snapshot!("each_kind.txt", shown(&Style::default()));
        insta::assert_snapshot!("each_kind_brief.txt", shown(&Style { detail: Detail::Brief, ..Style::default() }));
        insta::assert_snapshot!("each_kind_full.txt", shown(&Style { detail: Detail::Full, ..Style::default() }));
        let colour = Style { color: true, ..Style::default() };
        insta::assert_snapshot!("each_kind_coloured.txt", shown(&colour).replace('\u{1b}', "␛"));
    }
}
