//! The text view: a table by topic, a block for what failed, what was left out, the machine, the verdict.

mod findings;
mod rows;
mod skips;

use std::path::{Path, PathBuf};

use kverify_checks::Outcome;

use super::page::Page;
use super::{
    Access, MachineRecord, Report, TWIN, plain,
    style::{Detail, Ink, Style},
    words,
};
use findings::Findings;
pub(crate) use rows::mark;

/// The report as text, ending in a newline.
///
/// Everything that a guest or a file name brought in went through [`plain`]; the only escape sequences are ours, and
/// only where `style` wants colour.
#[must_use]
pub fn table(report: &Report, style: &Style) -> String {
    let findings = Findings::of(report);
    let mut page = Page::new(style);
    if style.detail > Detail::Brief {
        page.rows(&report.outcomes, &findings);
    }
    page.findings(&findings, &subject(report));
    for machine in &report.machines {
        page.console(machine);
    }
    if style.detail > Detail::Brief {
        page.notes(report);
        page.skips(&report.outcomes);
        page.gap();
        if let Some((first, forks)) = report.machines.split_first() {
            page.machine(first, report);
            page.forks(forks);
            page.proof(forks);
        }
    }
    page.gap();
    page.verdict(report);
    page.finish()
}

/// One outcome of an image as the report shows what failed, ending in a newline; `folder` holds the evidence files.
#[must_use]
pub fn finding(outcome: &Outcome, subject: &str, folder: Option<PathBuf>) -> String {
    let style = Style { folder, ..Style::default() };
    let mut page = Page::new(&style);
    page.finding(outcome, &plain::line(subject, 100));
    page.finish()
}

/// The verdict and the numbers in one line, `folder` behind it, and then what was left out and why.
#[must_use]
pub fn summary(report: &Report, folder: &Path) -> String {
    let style = Style::default();
    let mut page = Page::new(&style);
    page.line(&format!(
        "{}, {}; {}",
        report.verdict,
        words::tally(report),
        plain::line(&folder.display().to_string(), 1000)
    ));
    page.skips(&report.outcomes);
    page.finish()
}

/// The image's name without its ending.
fn subject(report: &Report) -> String {
    let name = plain::line(&report.subject.name, 100);
    name.rsplit_once('.').map_or(name.clone(), |(stem, _)| stem.to_owned())
}

impl Page<'_> {
    fn console(&mut self, machine: &MachineRecord) {
        if machine.console_tail.is_empty() {
            return;
        }
        self.gap();
        let id = plain::line(&machine.id, 100);
        self.line(&self.style.paint(Ink::Strong, &format!("console of {id}, its last lines")));
        for line in &machine.console_tail {
            self.hanging(2, 2, Ink::Faint, "|", &plain::line(line, 500));
        }
        if let Some(folder) = &self.style.folder {
            let path = folder.join("console.log");
            self.field("see", &plain::line(&path.display().to_string(), usize::MAX));
        }
    }

    fn notes(&mut self, report: &Report) {
        let mut noted = report.outcomes.iter().filter(|outcome| !outcome.notes.is_empty()).peekable();
        if noted.peek().is_none() {
            return;
        }
        self.gap();
        self.line(&self.style.paint(Ink::Strong, "notes"));
        for outcome in noted {
            let said: Vec<_> = outcome.notes.iter().map(|note| plain::line(note, 1000)).collect();
            self.hanging(2, 0, Ink::Faint, &plain::line(&outcome.check, 100), &said.join("\n"));
        }
    }

    fn machine(&mut self, machine: &MachineRecord, report: &Report) {
        let line = |text: &str| plain::line(text, 300);
        let cpus = if machine.cpus == 1 { "CPU" } else { "CPUs" };
        let said = format!(
            "{}: {} ({}), {} {cpus}, {} MiB, {}, QEMU {}, {}",
            line(&machine.id),
            line(&machine.accelerator),
            line(&machine.accelerator_why),
            machine.cpus,
            machine.memory_mib,
            line(&machine.firmware),
            line(&machine.qemu),
            if machine.is_fork() {
                line(&machine.boot).replace('_', " ")
            } else {
                format!("{} boot", line(&machine.boot))
            },
        );
        self.hanging(0, 9, Ink::Strong, "machine", &said);
        let way = words::way(machine).unwrap_or("none: it never became ready");
        self.hanging(0, 9, Ink::Strong, "access", &format!("{way}; network: {}", line(&machine.network)));
        if let Some(egress) = &machine.egress {
            let count = |number: usize, what: &str| match number {
                1 => format!("1 {what}"),
                number => format!("{number} {what}s"),
            };
            let (names, tried) = (count(egress.names.len(), "name"), count(egress.tried.len(), "destination"));
            let said = format!("{names} asked for, {tried} tried within {:.0} s", egress.seconds);
            self.hanging(0, 9, Ink::Strong, "egress", &said);
        }
        if let Some(why) = &machine.not_captured {
            self.hanging(0, 9, Ink::Strong, "forks", &format!("none: {}", line(why)));
        }
        let timings = &machine.timings;
        let spans = [
            (if machine.is_fork() { "first answer after" } else { "login after" }, timings.login),
            ("settled after", timings.settled),
            ("quick checks", timings.quick_checks),
            ("capture", timings.capture),
            ("deep checks", timings.deep_checks),
        ];
        let mut spans: Vec<_> =
            spans.iter().filter_map(|(name, seconds)| Some(format!("{name} {:.1} s", (*seconds)?))).collect();
        spans.extend(words::starved(timings.starved));
        spans.push(format!("in all {:.1} s", report.finished.duration_since(report.started).as_secs_f64()));
        self.hanging(0, 9, Ink::Strong, "time", &spans.join(", "));
    }

    /// The machines that went on from the first; what else booted stands with its scenario.
    fn forks(&mut self, machines: &[MachineRecord]) {
        let forks: Vec<_> = machines.iter().filter(|machine| machine.is_fork()).collect();
        let Some(first) = forks.first() else { return };
        let answers = forks.iter().filter_map(|fork| fork.timings.login);
        let slowest = answers.fold(None, |slowest: Option<f64>, one| Some(slowest.map_or(one, |most| most.max(one))));
        let slowest = slowest.map(|seconds| format!(", first answer after at most {seconds:.2} s")).unwrap_or_default();
        let said = format!(
            "{} ({}), asked through a root shell on a port of theirs{slowest}",
            forks.len(),
            plain::line(&first.boot, 100).replace('_', " "),
        );
        self.hanging(0, 9, Ink::Strong, "forks", &said);
    }

    /// What a seal was proven by: the disk beside a rescue system, and another machine of the image.
    fn proof(&mut self, machines: &[MachineRecord]) {
        let span = |about: &str, seconds: Option<f64>| seconds.map(|seconds| format!(", {about} {seconds:.1} s"));
        let mut said = Vec::new();
        for machine in machines {
            let (id, times) = (plain::line(&machine.id, 100), &machine.timings);
            if machine.access == Access::Rescue {
                let spans = [span("mounted after", times.settled), span("walked in", times.deep_checks)];
                let spans: String = spans.into_iter().flatten().collect();
                said.push(format!("{id}, a rescue system beside the disk{spans}"));
            } else if machine.id == TWIN {
                let settled = span("settled after", times.settled).unwrap_or_default();
                said.push(format!("{id}, another machine of the image{settled}"));
            }
        }
        if !said.is_empty() {
            self.hanging(0, 9, Ink::Strong, "proof", &said.join("; "));
        }
    }

    fn verdict(&mut self, report: &Report) {
        let ink = words::ink(report.verdict);
        let name = plain::line(&report.subject.name, 200);
        let word = report.verdict.to_string();
        self.hanging(0, 0, ink, &word, &format!("{name}: {}", words::tally(report)));
        self.hanging(2, 7, Ink::Faint, "image", &plain::line(&report.subject.digest, 200));
        let chosen = words::chosen(report.expectation.chosen_by);
        let sheet = format!("{}, {chosen}", plain::line(&report.expectation.name, 200));
        self.hanging(2, 7, Ink::Faint, "sheet", &sheet);
        if let Some(advisories) = &report.expectation.advisories {
            self.hanging(2, 7, Ink::Faint, "advised", &plain::line(advisories, 200));
        }
    }
}
