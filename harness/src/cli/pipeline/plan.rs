//! What has to be done, as the command lines that do it.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use anyhow::{Context as _, bail};
use clap::Parser as _;

use super::{
    line::Line,
    recipe::Recipe,
    step::{Step, StepName, command},
};
use crate::{
    cli::{Cli, Command},
    gate::{Policy, SigningKey, Target},
    image::Digest,
    pipeline::{folder_of, store::Store},
};

/// Where the store is named if the file names none.
const STORE: &str = "KVERIFY_STORE";

/// What the last steps need, tried before the first begins.
pub(super) struct Ahead {
    pub(super) store: Option<Store>,
    /// The channel, and what it demands.
    pub(super) channel: Option<(String, Policy)>,
}

/// What has to be done to come from an image to a channel.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// The image that all ends with: the sealed one, or the one that it began with.
    pub(super) image: PathBuf,
}

/// Collects the steps: each has a table in the file.
struct Planner<'a> {
    recipe: &'a Recipe,
    /// The folder of the reports that go into the store, once there is one.
    report: Option<PathBuf>,
    plan: Plan,
}

/// The steps of a pipeline whose image is called `golden` once it is sealed.
pub(super) fn plan(recipe: &Recipe, golden: &str) -> anyhow::Result<Plan> {
    let image = match (&recipe.image, recipe.has(StepName::Build)) {
        // Whoever has it built can still begin with one that is there.
        (Some(image), _) => image.clone(),
        (None, true) => recipe.work.join("built.qcow2"),
        (None, false) => {
            bail!("no image to begin with: a table [build], or `image = \"FILE\"` is wanted")
        }
    };
    let mut planner = Planner { recipe, report: None, plan: Plan { steps: Vec::new(), image } };
    for name in StepName::ALL {
        let wanted = match name {
            StepName::Build => recipe.image.is_none(),
            StepName::Store => recipe.stores(),
            _ => recipe.has(name),
        };
        if !wanted {
            continue;
        }
        let step = match name {
            StepName::Build => planner.build()?,
            StepName::Verify => planner.verify()?,
            StepName::Seal => planner.seal(golden)?,
            StepName::Prove => planner.prove()?,
            StepName::Export => planner.export()?,
            StepName::Store => planner.store(golden)?,
            StepName::Promote => planner.promote(golden)?,
        };
        planner.plan.steps.push(step);
    }
    for step in &mut planner.plan.steps {
        step.also.push(format!("kverify {}", env!("CARGO_PKG_VERSION")));
    }
    Ok(planner.plan)
}

impl Planner<'_> {
    /// The command of a step, with what the file says of it.
    fn line(&self, name: StepName, words: Line) -> anyhow::Result<Line> {
        Ok(words.and(self.recipe.options(name, &command(name.command()))?))
    }

    fn build(&self) -> anyhow::Result<Step> {
        let words = match (self.recipe.answers(), self.recipe.command()) {
            (Some(answers), None) => Line::of(&["build"]).read(answers),
            (None, Some(_)) => Line::of(&["build"]),
            _ => bail!(
                "[build]: either `answers` with the answers to the installer or a `command` that builds is wanted"
            ),
        };
        let (image, log) = (self.plan.image.clone(), self.recipe.work.join("build.log"));
        let line = self.line(StepName::Build, words)?;
        Ok(Step {
            reads: self.recipe.reads()?,
            lines: vec![line.text("--out").made(&image).text("--serial-log").made(&log)],
            closer: Some(format!("what was said while it was built: {}", log.display())),
            made: vec![image, log],
            ..Step::of(StepName::Build)
        })
    }

    fn verify(&mut self) -> anyhow::Result<Step> {
        self.judged(StepName::Verify, "verified", Line::of(&["verify"]).read(&self.plan.image))
    }

    fn seal(&mut self, golden: &str) -> anyhow::Result<Step> {
        let line = self.line(StepName::Seal, Line::of(&["seal"]).read(&self.plan.image))?;
        let (sealed, record) = (self.recipe.work.join(format!("{golden}.qcow2")), self.recipe.work.join("seal.json"));
        // What was found of the other one says nothing of this one.
        self.report = None;
        self.plan.image.clone_from(&sealed);
        // Another name is another file.
        let name = self.recipe.golden.iter().map(|name| format!("called {name}"));
        Ok(Step {
            also: name.collect(),
            lines: vec![line.text("--out").made(&sealed).text("--json").made(&record)],
            made: vec![sealed, record],
            ..Step::of(StepName::Seal)
        })
    }

    fn prove(&mut self) -> anyhow::Result<Step> {
        self.judged(StepName::Prove, "proven", Line::of(&["verify"]).read(&self.plan.image).text("--sealed"))
    }

    /// A step that ends with a verdict.
    fn judged(&mut self, name: StepName, folder: &str, words: Line) -> anyhow::Result<Step> {
        let out = self.recipe.work.join(folder);
        let line = self.line(name, words)?;
        let (lines, key) = self.signed(name, &out, line.text("--out").made(&out))?;
        let step = Step {
            lines,
            closer: Some(format!("what was found, with the evidence: {}", out.join("report.html").display())),
            made: vec![out.clone()],
            also: [judge()?].into_iter().chain(key).collect(),
            ..Step::of(name)
        };
        self.report = Some(out);
        Ok(step)
    }

    fn export(&self) -> anyhow::Result<Step> {
        let out = self.exported();
        let line = self.line(StepName::Export, Line::of(&["export"]).read(&self.plan.image))?;
        let sends = line.unsent() != line;
        let (lines, key) = self.signed(StepName::Export, &out, line.text("--out-dir").made(&out))?;
        Ok(Step {
            lines,
            also: key.into_iter().collect(),
            made: vec![out.clone()],
            folder: Some(out),
            closer: sends.then(|| "files that are no more what they were are made anew with --from export".to_owned()),
            ..Step::of(StepName::Export)
        })
    }

    fn exported(&self) -> PathBuf {
        self.recipe.work.join("exported")
    }

    /// A line, and the one that signs what it leaves, where somebody wants to see that or there is a key; and whose key.
    fn signed(&self, name: StepName, out: &Path, line: Line) -> anyhow::Result<(Vec<Line>, Option<String>)> {
        let attest = Line::of(&["attest"]).made(out).and(self.recipe.options(name, &command("attest"))?);
        if !self.recipe.stores() && !attest.has("--key") && !SigningKey::is_in_environment() {
            return Ok((vec![line], None));
        }
        let key = SigningKey::find(self.recipe.path(name, "key").as_deref()).with_context(|| name.to_string())?;
        Ok((vec![line, attest], Some(format!("signed by {}", key.public().fingerprint()))))
    }

    fn store(&self, golden: &str) -> anyhow::Result<Step> {
        let Some(report) = &self.report else {
            bail!(
                "[store]: nothing was found out about what is stored; a table [prove] (or [verify], unsealed) is wanted"
            )
        };
        let line = self.line(StepName::Store, Line::of(&["store"]).read(&self.plan.image))?;
        let mut line = line.text("--name").text(golden).text("--report").read(report);
        if self.recipe.has(StepName::Export) {
            line = line.text("--export").read(self.exported());
        }
        Ok(Step { lines: vec![line], ..Step::of(StepName::Store) })
    }

    fn promote(&self, golden: &str) -> anyhow::Result<Step> {
        let mut line = self.line(StepName::Promote, Line::of(&["promote", golden]))?;
        if !line.has("--why") {
            line = line.text("--why").text(format!("pipeline {}", self.recipe.name));
        }
        let again = "evidence that has become too old is made anew with --from prove (or verify, unsealed)";
        Ok(Step { lines: vec![line], closer: Some(again.to_owned()), ..Step::of(StepName::Promote) })
    }
}

/// What stands for the checks and expectations that are built in: another kverify is another judge.
fn judge() -> anyhow::Result<String> {
    static PROGRAM: OnceLock<Digest> = OnceLock::new();
    if let Some(digest) = PROGRAM.get() {
        return Ok(format!("judged by {digest}"));
    }
    let program = Digest::of_path(Path::new("/proc/self/exe")).context("/proc/self/exe")?;
    Ok(format!("judged by {}", PROGRAM.get_or_init(|| program)))
}

/// Tries everything that can go wrong at the end before the first step begins: whether the commands take their options, the
/// files are there, the key signs, and the policy could be met by what is made. A store that is a folder and not there yet is
/// made where `begins` says so.
pub(super) fn ahead(steps: &[Step], begins: bool) -> anyhow::Result<Ahead> {
    let mut ahead = Ahead { store: None, channel: None };
    let mut store = None;
    let mut made: Vec<&Path> = Vec::new();
    let mut formats: Vec<Target> = Vec::new();
    let mut keys = Vec::new();
    for step in steps {
        let mine = step.made.iter().map(|path| whole(path));
        let theirs: Vec<_> = step.lines.iter().flat_map(Line::reads).chain(made.iter().copied()).map(whole).collect();
        let clash = |one: &PathBuf| theirs.iter().any(|other| one.starts_with(other) || other.starts_with(one));
        if let Some(clash) = mine.into_iter().find(clash) {
            let name = step.name;
            bail!(
                "{name}: {} would be written over, and is read or made by others; choose another `name`",
                clash.display()
            );
        }
        if let Some(missing) = step.reads.iter().find(|path| !path.exists()) {
            bail!("{}: {}: no such file", step.name, missing.display());
        }
        made.extend(step.made.iter().map(PathBuf::as_path));
        for line in &step.lines {
            let missing = line.reads().find(|path| !path.exists() && !made.iter().any(|made| path.starts_with(made)));
            if let Some(missing) = missing {
                bail!("{}: {}: no such file", step.name, missing.display());
            }
            let cli = Cli::try_parse_from(line.words()).map_err(|error| wrong(step.name, &error.to_string()))?;
            match cli.command {
                Command::Attest(args) => {
                    let key = SigningKey::find(args.key.as_deref()).with_context(|| step.name.to_string())?;
                    keys.push((step.name, key));
                }
                Command::Export(args) => formats = args.targets(),
                Command::Store(args) => store = Some(args.store),
                Command::Promote(args) => {
                    let (channel, policy, key) = args.read().with_context(|| step.name.to_string())?;
                    keys.push((step.name, key));
                    promotable(&policy, &keys, &formats)?;
                    ahead.channel = Some((channel.to_owned(), policy));
                }
                _ => {}
            }
        }
    }
    // Last, since it may leave a folder.
    if let Some(at) = store.filter(|at| begins || at.is_there()) {
        ahead.store = Some(at.open().context(StepName::Store)?);
    }
    Ok(ahead)
}

/// Whether a policy could be met by what is made.
fn promotable(policy: &Policy, keys: &[(StepName, SigningKey)], formats: &[Target]) -> anyhow::Result<()> {
    for (step, key) in keys {
        let key = key.public();
        if !policy.trusted.contains(&key) {
            let (policy, key) = (&policy.name, key.fingerprint());
            bail!("{step}: policy {policy} does not trust the key {key}, so nothing that it signs would count");
        }
    }
    let missing: Vec<_> =
        policy.formats().iter().filter(|one| !formats.contains(one)).map(ToString::to_string).collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        bail!("promote: policy {} demands {missing}; name it under [export] format", policy.name);
    }
    Ok(())
}

/// A path as nobody else writes it, whether it is there or not.
fn whole(path: &Path) -> PathBuf {
    let there = folder_of(path).canonicalize().map(|near| near.join(path.file_name().unwrap_or_default()));
    path.canonicalize().or(there).or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}

/// What a command says of its options, without its help.
fn wrong(step: StepName, said: &str) -> anyhow::Error {
    let end = ["\n\nUsage:", "\n\nFor more information"].iter().filter_map(|word| said.find(word)).min();
    let said = said[..end.unwrap_or(said.len())].trim_start_matches("error: ");
    let store = if said.contains("--store") { format!(", or {STORE} in the environment") } else { String::new() };
    anyhow::anyhow!("{step}: {}{store}", said.split_whitespace().collect::<Vec<_>>().join(" "))
}
