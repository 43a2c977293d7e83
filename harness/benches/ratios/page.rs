//! The page that a bench leaves: what was measured where, against the aims.

use std::{fmt, fs, process::Command};

use crate::{Args, guest::Guest, rounds::Rounds};

/// Everything that was measured.
pub(crate) struct Page<'a> {
    pub(crate) args: &'a Args,
    pub(crate) rounds: &'a Rounds,
    pub(crate) guest: &'a Guest,
}

/// A figure has to be at most or at least so much.
enum Aim {
    AtMost(f64),
    AtLeast(f64),
    /// One over at least so much.
    OneOver(f64),
}

struct Row {
    figure: &'static str,
    value: f64,
    aim: Aim,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { figure, value, aim } = self;
        let (aim, met, value) = match aim {
            Aim::AtMost(most) => (format!("≤ {most}"), value <= most, format!("{value:.2}")),
            Aim::AtLeast(least) => (format!("≥ {least}"), value >= least, format!("{value:.2}")),
            Aim::OneOver(least) => (format!("≤ 1/{least}"), 1.0 / value >= *least, format!("1/{:.0}", 1.0 / value)),
        };
        writeln!(f, "| {figure} | {value} | {aim} | {} |", if met { "yes" } else { "**no**" })
    }
}

impl Page<'_> {
    fn aims(&self) -> Vec<Row> {
        let (rounds, guest) = (self.rounds, self.guest);
        let (usual, floor) = (rounds.usual.median(), rounds.floor.median());
        let check = guest.check_phase.median();
        let row = |figure, value, aim| Row { figure, value, aim };
        let mut rows = vec![
            row("kverify cold over the bare boot", rounds.cold.median() / floor, Aim::AtMost(1.06)),
            row("usual script over kverify cold", usual / rounds.cold.median(), Aim::AtLeast(1.2)),
            row("usual script over kverify --warm", usual / rounds.warm.median(), Aim::AtLeast(25.0)),
            row("testinfra over ssh over our check phase", guest.testinfra_ssh.median() / check, Aim::AtLeast(8.0)),
            row(
                "testinfra over paramiko over our check phase",
                guest.testinfra_paramiko.median() / check,
                Aim::AtLeast(3.0),
            ),
            row("fork to its first answer over a cold boot", guest.forked.median() / floor, Aim::OneOver(150.0)),
            row("the same, of a fork that was made ahead", guest.taken.median() / floor, Aim::OneOver(700.0)),
            row("made ahead: seconds to the answer", guest.taken.median(), Aim::AtMost(0.1)),
            row("kverify's own CPU time, percent of its run", rounds.cpu_percent.median(), Aim::AtMost(1.0)),
            row("kverify's own peak memory, MiB", rounds.peak_mib.median(), Aim::AtMost(40.0)),
        ];
        if let Some(crowd) = guest.crowds.last() {
            rows.push(row("GiB of the host for 32 forks of 2 GiB, all answering", crowd.host_gib, Aim::AtMost(6.0)));
        }
        rows
    }
}

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rounds, guest) = (self.rounds, self.guest);
        let image = self.args.image.file_name().unwrap_or_default().to_string_lossy();
        writeln!(f, "# What the gate costs, beside what it replaces\n")?;
        writeln!(
            f,
            "Written by `ci/bench` on {} at commit {}; {}, {} cores, {}, tcg; image {image}.",
            said("date", &["-u", "+%Y-%m-%d"]),
            said("git", &["rev-parse", "--short", "HEAD"]),
            processor(),
            std::thread::available_parallelism().map_or(1, usize::from),
            said("qemu-system-x86_64", &["--version"]).lines().next().unwrap_or_default(),
        )?;
        writeln!(f, "Whole programs ran {} times, one after the other; medians.\n", rounds.usual.0.len())?;
        writeln!(f, "| figure | measured | aim | met |\n|---|---|---|---|")?;
        for row in self.aims() {
            row.fmt(f)?;
        }
        writeln!(f, "\n| program, twenty conditions | seconds: median (each) |\n|---|---|")?;
        for (what, series) in [
            ("the usual script: copy, poll, a connection for each condition", &rounds.usual),
            ("the bare boot, until it has settled", &rounds.floor),
            ("kverify cold", &rounds.cold),
            ("kverify --warm", &rounds.warm),
            ("kverify cold, everything that the expectation asks", &rounds.whole),
            ("testinfra over ssh, on a settled machine", &guest.testinfra_ssh),
            ("testinfra over paramiko, on the same", &guest.testinfra_paramiko),
            ("kverify's check phase, on the same", &guest.check_phase),
        ] {
            writeln!(f, "| {what} | {series} |")?;
        }
        writeln!(f, "\n| fork | seconds: least / median / 95 of 100 |\n|---|---|")?;
        for (what, series) in [
            ("until it is there, stopped", &guest.restored),
            ("until its first answer", &guest.forked),
            ("made ahead: until its first answer from then on", &guest.taken),
            ("made ahead: until it has told the health of its pool, for which a program starts", &guest.told),
        ] {
            writeln!(f, "| {what} | {} |", series.spread())?;
        }
        writeln!(
            f,
            "\n| at once | all answered after, s | then one answer, s | proportional MiB of each | together, MiB | the host gave, GiB |\n\
             |---|---|---|---|---|---|"
        )?;
        for crowd in &guest.crowds {
            let together: f64 = crowd.proportional_mib.0.iter().sum();
            writeln!(
                f,
                "| {} | {:.1} | {} | {} | {together:.0} | {:.2} |",
                crowd.forks,
                crowd.all_answered,
                crowd.again.spread(),
                crowd.proportional_mib.spread(),
                crowd.host_gib
            )?;
        }
        writeln!(
            f,
            "\nkverify itself: CPU {} percent of its run, peak {} MiB, in each cold run; the last asked everything.",
            rounds.cpu_percent, rounds.peak_mib
        )
    }
}

fn said(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| "unknown processor".to_owned(), |name| name.1.to_owned())
}
