//! `kverify pipeline FILE`: the whole way from answers to a channel, of which nothing is done twice.

pub(super) mod line;
mod need;
mod plan;
mod recipe;
mod step;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, bail};
use clap::Parser as _;
use jiff::{SignedDuration, Timestamp};

use self::{
    line::{Line, Word},
    need::{Due, Need, held},
    plan::{Ahead, Plan},
    recipe::Recipe,
    step::StepName,
};
use super::{Cli, live::Shown, verify::interrupted};
use crate::{
    book,
    image::Digest,
    pipeline::{
        RECORD,
        golden::{Parts, TEMPLATE, called},
        journal::Journal,
        shelf::{self, Git, Manifest},
    },
    report::{Ink, Page},
};

/// Options of `kverify pipeline`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The pipeline: a TOML file with a table for each step that it has (build, verify, seal, prove, export, store, promote),
    /// whose keys are the options of `kverify build`, `kverify verify` and so on. Paths are relative to it.
    file: PathBuf,
    /// Say something else than the file does: KEY=VALUE for a key above all tables, STEP.KEY=VALUE for one in a table.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Begin with this step, and do it and all after it again; those before it have to be done.
    #[arg(long, value_name = "STEP")]
    from: Option<StepName>,
    /// End with this step.
    #[arg(long, value_name = "STEP")]
    until: Option<StepName>,
    /// Do nothing; say what would be done, and how long it took here before.
    #[arg(long)]
    dry_run: bool,
}

/// What a step's turn came to.
enum Turn {
    /// There was nothing to do, and why.
    DoneBefore(String),
    /// It was done, in so many seconds.
    Done(f64),
}

/// A pipeline at work.
struct Run<'a> {
    args: &'a Args,
    shown: Shown,
    recipe: Recipe,
    golden: String,
    plan: Plan,
    ahead: Ahead,
    journal: Journal,
}

/// Does what is left to do, and gives the exit status.
pub(crate) async fn run(args: &Args, shown: Shown) -> anyhow::Result<u8> {
    let mut run = Run::prepare(args, shown).await?;
    if args.dry_run {
        super::print(&run.planned().await?);
        return Ok(0);
    }
    run.journal = Journal::begin(&run.recipe.work)?;
    tokio::select! {
        code = run.go() => code,
        // Between two steps; a step that is interrupted says so itself.
        name = interrupted() => bail!("interrupted by {}; to go on from there: {}", name?, run_again(args)),
    }
}

/// The command that goes on, as it is typed.
fn run_again(args: &Args) -> String {
    let set = args.set.iter().flat_map(|set| [Word::text("--set"), Word::text(set)]);
    Line::of(&["pipeline"]).made(&args.file).and(set.collect()).shown()
}

impl<'a> Run<'a> {
    async fn prepare(args: &'a Args, shown: Shown) -> anyhow::Result<Self> {
        let recipe = Recipe::read(&args.file, &args.set)?;
        let journal = Journal::look(&recipe.work);
        let fault = || format!("pipeline {}", args.file.display());
        // The name that the sealed image has, or one that will not have to be its name.
        let golden = sealed_before(&journal).filter(|_| recipe.has(StepName::Seal));
        let named = golden.is_some();
        let golden = golden.unwrap_or_else(|| "golden".to_owned());
        let plan = plan::plan(&recipe, &golden).with_context(fault)?;
        for step in [args.from, args.until].into_iter().flatten() {
            if !plan.steps.iter().any(|one| one.name == step) {
                bail!("pipeline {}: it has no step {step}", args.file.display());
            }
        }
        if let (Some(from), Some(until)) = (args.from, args.until)
            && until < from
        {
            bail!("--until {until} comes before --from {from}: nothing would be done");
        }
        // A store that is not there yet is made once nothing else is wrong.
        let ahead = plan::ahead(&plan.steps, false).with_context(fault)?;
        let mut run = Self { args, shown, recipe, golden, plan, ahead, journal };
        if !named && run.plan.steps.iter().any(|step| matches!(step.name, StepName::Seal | StepName::Store)) {
            run.rename().await.with_context(fault)?;
        }
        run.ahead = plan::ahead(&run.plan.steps, !args.dry_run).with_context(fault)?;
        Ok(run)
    }

    /// Gives the image that all ends with a name that no other has.
    async fn rename(&mut self) -> anyhow::Result<()> {
        if let Some(name) = self.named_before().await? {
            self.plan = plan::plan(&self.recipe, &name)?;
            self.golden = name;
            return Ok(());
        }
        let template = self.recipe.golden.as_deref().unwrap_or(TEMPLATE);
        let git = Git::of(Path::new("."));
        let expect = self.recipe.text(StepName::Prove, "expect").unwrap_or(&self.recipe.name);
        let expect = if book::is_file(expect) {
            Path::new(expect).file_stem().unwrap_or_default().to_string_lossy().into_owned()
        } else {
            expect.to_owned()
        };
        let parts = Parts { expect: &expect, at: Timestamp::now(), git: git.as_ref() };
        let first = called(template, &parts).map_err(|why| anyhow::anyhow!("{why}, with `name`"))?;
        let mut name = first.clone();
        if let Some(store) = &self.ahead.store {
            // Built of the same commit on the same day.
            let mut number = 1;
            while store.named(&name).await?.is_some() {
                number += 1;
                name = format!("{first}-{number}");
            }
        }
        self.plan = plan::plan(&self.recipe, &name)?;
        self.golden = name;
        Ok(())
    }

    /// Whether the image that all ends with is sealed on the way.
    fn seals(&self) -> bool {
        self.plan.steps.iter().any(|step| step.name == StepName::Seal)
    }

    /// The name that the image has in the store, where it is not sealed first.
    async fn named_before(&mut self) -> anyhow::Result<Option<String>> {
        if self.seals() || !self.plan.image.exists() {
            return Ok(None);
        }
        let digest = self.image()?;
        Ok(self.manifest(&digest.to_string()).await?.map(|manifest| manifest.name))
    }

    /// What the store knows of an image.
    async fn manifest(&self, what: &str) -> anyhow::Result<Option<Manifest>> {
        let Some(store) = &self.ahead.store else { return Ok(None) };
        match shelf::manifest(store, what).await {
            Ok(manifest) => Ok(Some(manifest)),
            Err(shelf::ShelfError::NoImage { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Does one step after the other; 0 once all are done, and the status of the one that refused otherwise.
    async fn go(&mut self) -> anyhow::Result<u8> {
        let mut turns = Vec::new();
        for at in 0..self.plan.steps.len() {
            let name = self.plan.steps[at].name;
            if name == StepName::Store && !self.seals() {
                // The image is there now, and may be one that has a name.
                self.rename().await?;
            }
            let before = self.args.from.is_some_and(|from| name < from);
            let asked = self.args.from.is_some_and(|from| name >= from);
            let due = match self.need(at, asked).await? {
                Need::Done(why) => {
                    self.tell(&format!("== {name}: {why}"));
                    turns.push((name, Turn::DoneBefore(why)));
                    None
                }
                Need::Due(due) if before => bail!("{name} has to be done first, since {due}; leave --from out"),
                Need::Due(due) => Some(due),
            };
            if let Some(due) = due {
                self.tell(&format!("== {name} ({} of {}): {due}", at + 1, self.plan.steps.len()));
                let begun = Instant::now();
                let code = self.act(at, asked).await.with_context(|| self.stopped(at))?;
                if code != 0 {
                    let stopped = self.stopped(at);
                    super::print(&format!("{stopped}\n"));
                    return Ok(code);
                }
                turns.push((name, Turn::Done(begun.elapsed().as_secs_f64())));
            }
            if self.args.until == Some(name) {
                break;
            }
        }
        super::print(&self.summary(&turns));
        Ok(0)
    }

    /// Whether a step has to be done, now that those before it are.
    async fn need(&mut self, at: usize, asked: bool) -> anyhow::Result<Need> {
        let step = self.plan.steps[at].clone();
        if step.name == StepName::Promote {
            return Ok(match self.promoted().await? {
                _ if asked => Need::Due(Due::Asked),
                Some(done) => Need::Done(done),
                None => Need::Due(Due::NotInChannel),
            });
        }
        let inputs = step.inputs(&mut self.journal)?;
        let need = Need::of(self.journal.standing(step.name.word(), inputs)?);
        Ok(match need {
            _ if asked => Need::Due(Due::Asked),
            Need::Done(_) if step.name == StepName::Store && !self.stored().await? => Need::Due(Due::NotInStore),
            Need::Done(done) => match self.too_old(step.name).await? {
                Some(days) => Need::Due(Due::TooOld(days)),
                None => Need::Done(done),
            },
            due @ Need::Due(_) => due,
        })
    }

    /// How old evidence may be, where that of a step is older and the image has yet to be let in.
    async fn too_old(&mut self, name: StepName) -> anyhow::Result<Option<u32>> {
        let judges = if self.seals() { StepName::Prove } else { StepName::Verify };
        let days = self.ahead.channel.as_ref().and_then(|(_, policy)| policy.max_age_days());
        let (Some(days), Some(entry)) = (days.filter(|_| name == judges), self.journal.entry(name.word())) else {
            return Ok(None);
        };
        let age = Timestamp::now().duration_since(entry.ended);
        let old = age > SignedDuration::from_hours(24 * i64::from(days));
        Ok(if old && self.promoted().await?.is_none() { Some(days) } else { None })
    }

    /// Whether the store has the sealed image under its name.
    async fn stored(&mut self) -> anyhow::Result<bool> {
        let digest = self.image()?;
        Ok(self.manifest(&self.golden).await?.is_some_and(|manifest| manifest.digest == digest))
    }

    /// Whether the gate has let the image into the channel already by today's policy, and where the channel is now.
    async fn promoted(&mut self) -> anyhow::Result<Option<String>> {
        let digest = self.image()?;
        let (Some(store), Some((channel, policy))) = (&self.ahead.store, &self.ahead.channel) else { return Ok(None) };
        held(store, channel, policy, digest).await
    }

    /// The digest of the image that all ends with.
    fn image(&mut self) -> anyhow::Result<Digest> {
        let image = &self.plan.image;
        self.journal.digest(image).with_context(|| image.display().to_string())
    }

    /// Does a step; its files are noted once all of it went well.
    async fn act(&mut self, at: usize, asked: bool) -> anyhow::Result<u8> {
        if self.plan.steps[at].name == StepName::Seal {
            self.rename().await?;
        }
        let step = self.plan.steps[at].clone();
        let inputs = step.inputs(&mut self.journal)?;
        let made_of = step.made_of(&mut self.journal)?;
        // What was made, and did not get where it is sent, is not made again: the command looks at it and goes on.
        let made = step.folder.as_ref().is_some_and(|folder| folder.join(RECORD).exists());
        if step.sends() && made && !asked && self.journal.has_begun(step.name.word(), made_of) {
            self.journal.forget(step.name.word())?;
        } else {
            self.journal.clear(step.name.word(), &step.made)?;
        }
        self.journal.begin_step(step.name.word(), made_of)?;
        if let Some(folder) = &step.folder {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        let begun = Instant::now();
        for line in &step.lines {
            self.tell(&format!("$ {}", line.shown()));
            let mut cli = Cli::try_parse_from(line.words()).with_context(|| line.shown())?;
            (cli.quiet, cli.verbose, cli.color) = (self.shown.quiet, self.shown.verbose, self.shown.color);
            match super::obey(cli).await? {
                0 => {}
                code => return Ok(code),
            }
        }
        self.journal.note(step.name.word(), inputs, &step.made, begun.elapsed().as_secs_f64())?;
        Ok(0)
    }

    /// What would be done, as a page.
    async fn planned(&mut self) -> anyhow::Result<String> {
        let style = self.shown.style(None);
        let mut page = Page::new(&style);
        let (mut first, mut expected, mut unknown) = (None, 0.0, 0);
        for at in 0..self.plan.steps.len() {
            let name = self.plan.steps[at].name;
            let asked = self.args.from.is_some_and(|from| name >= from);
            let before = self.args.from.is_some_and(|from| name < from);
            let need = match first {
                // What it will read is not there yet.
                Some(first) => Need::Due(Due::After(first)),
                None => self.need(at, asked).await?,
            };
            let (ink, said) = match need {
                Need::Done(why) => (Ink::Good, why),
                Need::Due(due) if before => bail!("{name} has to be done first, since {due}; leave --from out"),
                Need::Due(due) => {
                    first = first.or(Some(name));
                    let time = if let Some(entry) = self.journal.entry(name.word()) {
                        expected += entry.seconds;
                        format!("{:.0} s", entry.seconds)
                    } else {
                        unknown += 1;
                        "not timed here".to_owned()
                    };
                    (Ink::Faint, format!("to do ({time}): {due}"))
                }
            };
            page.hanging(0, 9, ink, name.word(), &said);
            for line in &self.plan.steps[at].lines {
                page.line(&format!("         {}", line.shown()));
            }
            if self.args.until == Some(name) {
                break;
            }
        }
        page.gap();
        page.line(&match (expected, unknown) {
            (_, 0) if first.is_none() => "nothing is left to do".to_owned(),
            (expected, 0) => format!("{expected:.0} s, as long as it took here before"),
            (expected, unknown) => format!("{expected:.0} s as before, and {unknown} steps that were never timed here"),
        });
        Ok(page.finish())
    }

    /// Where a step stopped, and what helps.
    fn stopped(&self, at: usize) -> String {
        let step = &self.plan.steps[at];
        let closer = step.closer.as_ref().map(|closer| format!("\n  {closer}")).unwrap_or_default();
        format!("stopped at {}{closer}\n  to go on from there: {}", step.name, run_again(self.args))
    }

    fn summary(&self, turns: &[(StepName, Turn)]) -> String {
        let style = self.shown.style(None);
        let mut page = Page::new(&style);
        for (name, turn) in turns {
            match turn {
                Turn::DoneBefore(why) => page.hanging(0, 9, Ink::Good, name.word(), why),
                Turn::Done(seconds) => page.hanging(0, 9, Ink::Good, name.word(), &format!("{seconds:.0} s")),
            }
        }
        page.line(&format!("{} in {}", self.golden, self.recipe.work.display()));
        page.finish()
    }

    fn tell(&self, text: &str) {
        super::live::Live::lines(self.shown).say(text);
    }
}

/// The name of the image that was sealed here last.
fn sealed_before(journal: &Journal) -> Option<String> {
    let entry = journal.entry(StepName::Seal.word())?;
    let image = entry.left.keys().find(|path| path.extension().is_some_and(|ending| ending == "qcow2"))?;
    Some(image.file_stem()?.to_string_lossy().into_owned())
}
