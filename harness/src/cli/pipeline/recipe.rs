//! The file of a pipeline: a table for each step, whose keys are the options of the step's command.
//!
//! Nothing is listed twice: what an option is called, and whether it is a path, is asked of the command itself. A key above all
//! tables goes to every command that has such an option.

use std::{
    any::TypeId,
    collections::BTreeSet,
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow, bail};
use clap::{Arg, ArgAction, Command};
use toml::{Table, Value};

#[cfg(test)]
use super::line::Line;
use super::{line::Word, step::StepName};
use crate::{book, cli::given};

/// The largest file, in bytes.
const LARGEST: u64 = 1 << 20;
/// Keys above all tables that are the pipeline's own.
const OWN: [&str; 3] = ["image", "name", "work"];
/// The key of the answers to the installer, which are no option.
const ANSWERS: &str = "answers";
/// The key of the files that a command of the user's own reads.
const READS: &str = "reads";
/// What can be said of a command of the user's own.
const COMMAND: [&str; 2] = ["command", "timeout"];
/// The option that takes a name that is built in, or a file.
const NAME_OR_FILE: &str = "expect";
/// The option that takes a folder, or an address.
const STORE: &str = "store";
/// Options that change nothing about what comes out.
const UNCOUNTED: [&str; 3] = ["scratch", "ssh-config", "timeout"];
/// Options that say where what comes out is sent.
const SENT: [&str; 1] = ["scp-target"];

/// A pipeline, as its file says it.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    /// The name of its file, without ending.
    pub(super) name: String,
    /// The folder for all that comes out.
    pub(super) work: PathBuf,
    /// The image to begin with, where none is built.
    pub(super) image: Option<PathBuf>,
    /// The name of the sealed image, with its `{…}`.
    pub(super) golden: Option<String>,
    shared: Vec<Setting>,
    /// The tables that there are.
    tables: Vec<(StepName, Vec<Setting>)>,
}

/// One key with its value.
#[derive(Clone, Debug)]
struct Setting {
    key: String,
    value: Value,
    /// What relative paths are relative to.
    base: PathBuf,
}

impl Recipe {
    /// Reads a file; `set` holds `KEY=VALUE` and `STEP.KEY=VALUE`, which take the place of what it says.
    pub(super) fn read(path: &Path, set: &[String]) -> anyhow::Result<Self> {
        let shown = format!("pipeline {}", path.display());
        let text = given::text(path, &shown, "pipeline", LARGEST)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let base = path.parent().unwrap_or(Path::new(""));
        Self::parse(&name, &text, base, set).context(shown)
    }

    fn parse(name: &str, text: &str, base: &Path, set: &[String]) -> anyhow::Result<Self> {
        let table: Table = text.parse()?;
        let mut recipe = Self {
            name: name.to_owned(),
            work: Path::new("kverify-out").join(name),
            image: None,
            golden: None,
            shared: Vec::new(),
            tables: Vec::new(),
        };
        for (key, value) in table {
            let setting = |key, value| Setting { key, value, base: base.to_owned() };
            match value {
                Value::Table(table) => {
                    let step = key.parse().map_err(|why: String| anyhow!("[{key}]: {why}"))?;
                    let settings = table.into_iter().map(|(key, value)| setting(key, value));
                    recipe.tables.push((step, settings.collect()));
                }
                value => recipe.shared.push(setting(key, value)),
            }
        }
        for set in set {
            recipe.set(set).with_context(|| format!("--set {set}"))?;
        }
        recipe.take_own()?;
        recipe.knows_all()?;
        Ok(recipe)
    }

    fn set(&mut self, set: &str) -> anyhow::Result<()> {
        let (key, value) = set.split_once('=').context("KEY=VALUE or STEP.KEY=VALUE is wanted")?;
        let value = match value {
            "true" | "false" => Value::Boolean(value == "true"),
            _ => Value::String(value.to_owned()),
        };
        let (settings, key) = match key.split_once('.') {
            None => (&mut self.shared, key),
            Some((step, key)) => {
                let step: StepName = step.parse().map_err(|why: String| anyhow!(why))?;
                let found = self.tables.iter_mut().find(|(name, _)| *name == step);
                let (_, settings) =
                    found.with_context(|| format!("there is no table [{step}] that it could change"))?;
                (settings, key)
            }
        };
        settings.retain(|setting| setting.key != key);
        settings.push(Setting { key: key.to_owned(), value, base: PathBuf::new() });
        Ok(())
    }

    /// Takes out the keys that belong to no command.
    fn take_own(&mut self) -> anyhow::Result<()> {
        let (own, shared) =
            std::mem::take(&mut self.shared).into_iter().partition(|one: &Setting| OWN.contains(&&*one.key));
        self.shared = shared;
        for Setting { key, value, base } in own {
            let text = value.as_str().with_context(|| format!("{key}: a text is wanted, not {value}"))?;
            match &*key {
                "work" => self.work = joined(&base, text),
                "image" => self.image = Some(joined(&base, text)),
                _ => self.golden = Some(text.to_owned()),
            }
        }
        Ok(())
    }

    /// Whether a step has a table.
    pub(super) fn has(&self, step: StepName) -> bool {
        self.tables.iter().any(|(name, _)| *name == step)
    }

    /// A value above all tables, or in the table of a step, as text.
    pub(super) fn text(&self, step: StepName, key: &str) -> Option<&str> {
        self.settings(step).find(|setting| setting.key == key)?.value.as_str()
    }

    /// A value that is a path.
    pub(super) fn path(&self, step: StepName, key: &str) -> Option<PathBuf> {
        let setting = self.settings(step).find(|setting| setting.key == key)?;
        Some(joined(&setting.base, setting.value.as_str()?))
    }

    /// The answers to the installer.
    pub(super) fn answers(&self) -> Option<PathBuf> {
        self.path(StepName::Build, ANSWERS)
    }

    /// The command of the user's own that builds.
    pub(super) fn command(&self) -> Option<&str> {
        self.text(StepName::Build, "command")
    }

    /// Whether the image goes into a store: what is promoted does.
    pub(super) fn stores(&self) -> bool {
        self.has(StepName::Store) || self.has(StepName::Promote)
    }

    /// The files that a command which builds says that it reads.
    pub(super) fn reads(&self) -> anyhow::Result<Vec<PathBuf>> {
        let Some(setting) = self.settings(StepName::Build).find(|setting| setting.key == READS) else {
            return Ok(Vec::new());
        };
        let items = setting.items().context("build: reads")?;
        Ok(items.iter().map(|path| joined(&setting.base, path)).collect())
    }

    /// The options of a step's command, or of the `attest` behind it, that the file gives it.
    pub(super) fn options(&self, step: StepName, command: &Command) -> anyhow::Result<Vec<Word>> {
        let mut words = Vec::new();
        // What builds by itself is told nothing of a machine.
        let by_itself = step == StepName::Build && self.command().is_some();
        for (option, argument) in options(step, command).filter(|(option, _)| !by_itself || COMMAND.contains(option)) {
            if let Some(setting) = self.settings(step).find(|setting| setting.key == option) {
                words.extend(setting.words(option, argument).with_context(|| format!("{step}: {option}"))?);
            }
        }
        Ok(words)
    }

    /// What is said of a step: in its table, and then above all tables.
    fn settings(&self, step: StepName) -> impl Iterator<Item = &Setting> {
        let own = self.tables.iter().filter(move |(name, _)| *name == step).flat_map(|(_, settings)| settings);
        // Who promotes from another store than the one it was put into says so.
        let store = self.tables.iter().filter(move |(name, _)| step == StepName::Promote && *name == StepName::Store);
        let store = store.flat_map(|(_, settings)| settings).filter(|setting| setting.key == STORE);
        own.chain(store).chain(&self.shared)
    }

    /// Complains of keys that no command knows.
    fn knows_all(&self) -> anyhow::Result<()> {
        let known = |step: StepName| -> BTreeSet<String> {
            let options = step
                .commands()
                .into_iter()
                .flat_map(|command| options(step, &command).map(|(option, _)| option.to_owned()).collect::<Vec<_>>());
            let more = if step == StepName::Build { [ANSWERS, READS].as_slice() } else { &[] };
            options.chain(more.iter().map(|&key| key.to_owned())).collect()
        };
        for (step, settings) in &self.tables {
            let known = known(*step);
            if let Some(strange) = settings.iter().find(|setting| !known.contains(&setting.key)) {
                let known: Vec<_> = known.into_iter().collect();
                bail!("[{step}]: `{}` is nothing that can be said of it; there are: {}", strange.key, known.join(", "));
            }
        }
        let known: BTreeSet<_> = StepName::ALL.into_iter().flat_map(known).collect();
        match self.shared.iter().find(|setting| !known.contains(&setting.key)) {
            None => Ok(()),
            Some(strange) => bail!(
                "`{}` is an option of no step's command; of the pipeline itself there are: {}",
                strange.key,
                OWN.join(", ")
            ),
        }
    }
}

impl Setting {
    /// The option with its value.
    fn words(&self, option: &str, argument: &Arg) -> anyhow::Result<Vec<Word>> {
        let flag = Word::text(format!("--{option}"));
        if matches!(argument.get_action(), ArgAction::SetTrue) {
            let set = self.value.as_bool().with_context(|| format!("true or false is wanted, not {}", self.value))?;
            return Ok(if set { vec![flag] } else { Vec::new() });
        }
        let items = self.items()?;
        let value = if argument.get_value_parser().type_id() == TypeId::of::<PathBuf>() {
            let [path] = items.as_slice() else { bail!("one path is wanted, not {}", self.value) };
            Word::Read(joined(&self.base, path))
        } else if option == NAME_OR_FILE {
            let [one] = items.as_slice() else { bail!("one name or file is wanted, not {}", self.value) };
            if book::is_file(one) { Word::Named(self.base.join(one)) } else { Word::text(one) }
        } else if option == STORE && !items.concat().contains("://") {
            // What is in it is asked there.
            Word::Uncounted(joined(&self.base, &items.concat()).into())
        } else {
            Word::text(items.join(","))
        };
        let words = [flag, value].into_iter();
        let said = |word: Word| word.said().to_owned();
        Ok(match option {
            _ if UNCOUNTED.contains(&option) => words.map(|word| Word::Uncounted(said(word))).collect(),
            _ if SENT.contains(&option) => words.map(|word| Word::Sent(said(word))).collect(),
            _ => words.collect(),
        })
    }

    /// The value, or those of a list.
    fn items(&self) -> anyhow::Result<Vec<String>> {
        match &self.value {
            Value::Array(items) => items.iter().map(scalar).collect(),
            one => Ok(vec![scalar(one)?]),
        }
    }
}

fn scalar(value: &Value) -> anyhow::Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Datetime(time) => Ok(time.to_string()),
        _ => Err(anyhow!("a text, a number, a time or a list of them is wanted, not {value}")),
    }
}

/// The options of a command that the file may give it.
fn options(step: StepName, command: &Command) -> impl Iterator<Item = (&str, &Arg)> {
    let long = command.get_arguments().filter_map(|argument| Some((argument.get_long()?, argument)));
    long.filter(move |(option, _)| !step.own().contains(option))
}

/// A path beside the file; as short as it can be said from here.
fn joined(base: &Path, path: &str) -> PathBuf {
    let path = base.join(path);
    let whole = path.canonicalize().unwrap_or(path);
    match env::current_dir() {
        Ok(here) => whole.strip_prefix(&here).map_or(whole.clone(), Path::to_owned),
        Err(_) => whole,
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{Line, Recipe, StepName, Word};
    use crate::cli::pipeline::step::command;

    fn recipe(text: &str, set: &[&str]) -> Result<Recipe, String> {
        let set: Vec<_> = set.iter().map(|&set| set.to_owned()).collect();
        Recipe::parse("debian-13", text, Path::new("/recipes"), &set).map_err(|error| format!("{error:#}"))
    }

    fn said(recipe: &Recipe, step: StepName, word: &str) -> String {
        Line(recipe.options(step, &command(word)).unwrap()).shown()
    }

    const WHOLE: &str = r#"
        expect = "debian-13-server"
        installer = "debian.iso"
        memory = 4096
        [build]
        answers = "debian.env"
        [verify]
        scenarios = ["cold-boot", "crash"]
        timeout = 900
        [seal]
        keep-passwords = true
        no-sweep = false
        steps = "steps.sh"
        [prove]
        expect = "mine.toml"
        [store]
        store = "shelf"
    "#;

    #[test]
    fn a_table_says_the_options_of_its_step_and_what_is_above_goes_to_all() {
        let recipe = recipe(WHOLE, &["seal.steps=here.sh", "installer=there.iso"]).unwrap();
        assert_eq!(
            said(&recipe, StepName::Verify, "verify"),
            "kverify --expect debian-13-server --scenarios cold-boot,crash --memory 4096 --timeout 900"
        );
        assert_eq!(
            said(&recipe, StepName::Seal, "seal"),
            "kverify --installer there.iso --keep-passwords --steps here.sh --memory 4096"
        );
        assert_eq!(
            said(&recipe, StepName::Prove, "verify"),
            "kverify --expect /recipes/mine.toml --installer there.iso --memory 4096"
        );
        assert_eq!(said(&recipe, StepName::Store, "store"), "kverify --store /recipes/shelf");
        assert_eq!(said(&recipe, StepName::Promote, "promote"), "kverify --store /recipes/shelf");
        assert_eq!(recipe.answers(), Some(PathBuf::from("/recipes/debian.env")));
        assert_eq!(recipe.work, Path::new("kverify-out/debian-13"));
        assert!(recipe.has(StepName::Seal) && !recipe.has(StepName::Export));
    }

    #[test]
    fn what_changes_nothing_does_not_count_and_files_count_by_what_they_hold() {
        let recipe = recipe(WHOLE, &[]).unwrap();
        let words = recipe.options(StepName::Verify, &command("verify")).unwrap();
        assert!(words.contains(&Word::Uncounted("900".into())), "{words:?}");
        let words = recipe.options(StepName::Seal, &command("seal")).unwrap();
        assert!(words.contains(&Word::Read("/recipes/steps.sh".into())), "{words:?}");
    }

    #[test]
    fn where_an_export_is_sent_is_no_path_and_the_configuration_of_ssh_is_one() {
        let text = "[export]\nformat = \"raw\"\nscp-target = \"me@host:images\"\nssh-config = \"ssh.conf\"";
        let recipe = recipe(text, &[]).unwrap();
        let words = recipe.options(StepName::Export, &command("export")).unwrap();
        assert!(words.contains(&Word::Sent("me@host:images".into())), "{words:?}");
        assert!(words.contains(&Word::Uncounted("/recipes/ssh.conf".into())), "{words:?}");
    }

    #[test]
    fn what_nobody_knows_is_refused_with_what_there_is() {
        let why = |text: &str, set: &[&str]| recipe(text, set).unwrap_err();
        let strange = why("[seal]\nstep = \"a.sh\"", &[]);
        assert!(strange.starts_with("[seal]: `step` is nothing that can be said of it; there are: "), "{strange}");
        assert!(strange.contains(", steps, "), "{strange}");
        // The pipeline says these itself.
        for own in ["[build]\nout = \"a\"", "[prove]\nsealed = true", "[verify]\npcap = \"a\""] {
            assert!(why(own, &[]).contains("is nothing that can be said of it"), "{own}");
        }
        assert!(why("instaler = \"a\"", &[]).starts_with("`instaler` is an option of no step's command"));
        assert!(why("[sael]", &[]).starts_with("[sael]: no step is called `sael`; there are: build, verify, seal"));
        assert!(why("work = 3", &[]).starts_with("work: a text is wanted, not 3"));
        assert!(why("", &["seal.steps=a"]).starts_with("--set seal.steps=a: there is no table [seal]"));
        assert!(why("", &["seal"]).contains("KEY=VALUE or STEP.KEY=VALUE is wanted"));
        assert!(why("[verify", &[]).contains("TOML parse error at line 1"));
        let built = recipe("[build]\ncommand = \"./make it\"\nreads = [\"a.hcl\", \"b\"]", &[]).unwrap();
        assert_eq!(built.reads().unwrap(), [Path::new("/recipes/a.hcl"), Path::new("/recipes/b")]);
        assert_eq!(said(&built, StepName::Build, "build"), "kverify --command './make it'");
        let wrong =
            |text: &str, step, word: &str| recipe(text, &[]).unwrap().options(step, &command(word)).unwrap_err();
        let flag = wrong("[seal]\nkeep-passwords = 3", StepName::Seal, "seal");
        assert_eq!(format!("{flag:#}"), "seal: keep-passwords: true or false is wanted, not 3");
        let list = wrong("[seal]\nsteps = [\"a\", \"b\"]", StepName::Seal, "seal");
        assert!(format!("{list:#}").contains("one path is wanted"));
        let table = wrong("memory = 1.5\n[seal]", StepName::Seal, "seal");
        assert!(format!("{table:#}").contains("a text, a number, a time or a list of them is wanted, not 1.5"));
    }
}
