//! The images of a matrix as tests: one trial for each check and scenario of each row, as in
//! `debian-13-server/zfs.pools-healthy`.
//!
//! `cargo nextest run --profile images` runs them. The list comes from the matrix alone; a trial asks the leader, which
//! the profile's setup script has started and which owns the machines, for the outcome. What an expectation does not
//! ask is listed as ignored; elsewhere than under nextest everything is, since there is no leader to ask.

use std::{
    env,
    error::Error,
    path::{Path, PathBuf},
    process::ExitCode,
};

use kverify::{
    lead::{Ending, Question, ask},
    matrix::Matrix,
};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// Where the leader is asked; the setup script says so.
const LEADER: &str = "KVERIFY_LEADER";

#[expect(clippy::print_stderr, reason = "a test binary that cannot list its tests says why")]
fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    match trials() {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(error) => {
            eprintln!("images: {error}");
            ExitCode::from(2)
        }
    }
}

/// `KVERIFY_MATRIX`, or the smoke matrix; looked up from the workspace as it is now, which nextest may have moved.
fn matrix() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    let workspace = package.parent().unwrap_or(Path::new(".")).to_owned();
    workspace.join(env::var_os("KVERIFY_MATRIX").unwrap_or_else(|| "matrices/smoke.toml".into()))
}

fn trials() -> Result<Vec<Trial>, Box<dyn Error>> {
    let can_be_led = env::var_os("NEXTEST").is_some() || env::var_os(LEADER).is_some();
    let rows = Matrix::read(&matrix())?.rows;
    let trials = rows.iter().flat_map(|row| {
        let checks = row.checks().map(|(check, asked)| (check.about().id.to_owned(), asked));
        let scenarios = row.scenarios.iter().map(|scenario| (scenario.id(), true));
        checks.chain(scenarios).map(move |(check, asked)| {
            let question = Question { row: row.name.clone(), check };
            let name = format!("{}/{}", question.row, question.check);
            Trial::ignorable_test(name, move || trial(&question)).with_ignored_flag(!asked || !can_be_led)
        })
    });
    Ok(trials.collect())
}

fn trial(question: &Question) -> Result<Completion, Failed> {
    let leader = env::var_os(LEADER).ok_or("no leader to ask; run `cargo nextest run --profile images`")?;
    let told = ask(Path::new(&leader), question)?;
    match Ending::of(question, &told) {
        Ending::Holds => Ok(Completion::Completed),
        Ending::LeftOut(why) => Ok(Completion::ignored_with(why)),
        Ending::Fails(why) => Err(why.into()),
    }
}
