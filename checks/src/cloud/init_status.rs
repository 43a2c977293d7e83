//! What cloud-init did, by the files it leaves: its own `status` command takes seconds, and calls a healthy image that
//! met no data source degraded.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    pattern::Pattern,
    probe::{Exit, Output, Probe},
};

const PROGRAM: &str = "/usr/bin/cloud-init";
const SWITCHED_OFF: &str = "/etc/cloud/cloud-init.disabled";
const NOT_WANTED: &str = "/run/cloud-init/disabled";
const STATUS: &str = "/run/cloud-init/status.json";

/// cloud-init on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitStatus {
    /// Whether it is installed.
    pub installed: bool,
    /// Whether a file switches it off for ever.
    pub switched_off: bool,
    /// What it did in this boot.
    pub run: Run,
}

/// What cloud-init did in this boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    /// Nothing: the generator found no data source and left it out.
    LeftOut,
    /// Nothing, and nobody said why.
    Never,
    /// It ran.
    Ran(Stages),
}

/// The stages of cloud-init.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stages {
    /// The data source, as in `DataSourceNoCloud [seed=/dev/vdb]`; nothing where none was found yet.
    pub datasource: Option<String>,
    /// The stage it is in; nothing once it is done.
    pub unfinished: Option<String>,
    /// Errors, each with its stage.
    pub errors: Vec<String>,
    /// What it went on in spite of, each with its stage and level.
    pub recoverable: Vec<String>,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeftOut => f.write_str("left out, no data source found"),
            Self::Never => f.write_str("it never ran"),
            Self::Ran(Stages { unfinished: Some(stage), .. }) => write!(f, "not done, in stage {stage}"),
            Self::Ran(Stages { errors, .. }) if !errors.is_empty() => f.write_str(&errors.join("; ")),
            Self::Ran(Stages { datasource, .. }) => {
                write!(f, "done, {}", datasource.as_deref().unwrap_or("no data source"))
            }
        }
    }
}

/// The form of `status.json`, as far as it is read; `v1` mixes stages with two values of its own.
#[derive(Deserialize)]
struct StatusFile {
    v1: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct Stage {
    errors: Vec<String>,
    #[serde(default)]
    recoverable_errors: BTreeMap<String, Vec<String>>,
    start: Option<f64>,
    finished: Option<f64>,
}

impl Stages {
    fn read(text: &str) -> Result<Self, Unreadable> {
        let unreadable = |why: &dyn fmt::Display| Unreadable::new(format!("{STATUS}: {why}"));
        let file: StatusFile = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
        let word = |name: &str| match file.v1.get(name) {
            Some(serde_json::Value::String(word)) => Ok(Some(word.clone()).filter(|word| !word.is_empty())),
            Some(serde_json::Value::Null) => Ok(None),
            _ => Err(unreadable(&format_args!("no {name}"))),
        };
        let mut stages = Self {
            datasource: word("datasource")?,
            unfinished: word("stage")?,
            errors: Vec::new(),
            recoverable: Vec::new(),
        };
        for name in ["init-local", "init", "modules-config", "modules-final"] {
            let value = file.v1.get(name).ok_or_else(|| unreadable(&format_args!("no stage {name}")))?;
            let stage = Stage::deserialize(value).map_err(|error| unreadable(&format_args!("{name}: {error}")))?;
            if stages.unfinished.is_none() && stage.start.is_some() && stage.finished.is_none() {
                stages.unfinished = Some(name.to_owned());
            }
            stages.errors.extend(stage.errors.iter().map(|error| format!("{name}: {error}")));
            for (level, texts) in &stage.recoverable_errors {
                stages.recoverable.extend(texts.iter().map(|text| format!("{name}: {level}: {text}")));
            }
        }
        Ok(stages)
    }
}

impl Fact for InitStatus {
    const ID: &'static str = "cloud.init-status";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["ls", "-1d", PROGRAM, SWITCHED_OFF, NOT_WANTED, STATUS]), Probe::file(STATUS)]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let there: Vec<_> = out[0].whole()?.lines().collect();
        // GNU ls ends with 2, busybox with 1, where some of the files are not there.
        let complaint = out[0].stderr.lines().find(|line| !line.ends_with("No such file or directory"));
        if complaint.is_some() || !matches!(out[0].exit, Exit::Code(0..=2)) {
            return Err(Unreadable::new(complaint.map_or_else(|| format!("ls: {}", out[0].exit), str::to_owned)));
        }
        let has = |path| there.contains(&path);
        let run = match (has(STATUS), has(NOT_WANTED)) {
            (true, _) => Run::Ran(Stages::read(out[1].ok()?)?),
            (false, true) => Run::LeftOut,
            (false, false) => Run::Never,
        };
        Ok(Self { installed: has(PROGRAM), switched_off: has(SWITCHED_OFF), run })
    }
}

/// cloud-init is there for the next machine that is made of the image.
pub struct InitPresent;

impl Check for InitPresent {
    type Fact = InitStatus;
    /// Whether it has to be there.
    type Want = bool;

    fn about(&self) -> &About {
        &About {
            id: "cloud.init-present",
            demand: "cloud-init is installed and not switched off (or is not there, if so expected)",
            remedy: "install cloud-init, remove /etc/cloud/cloud-init.disabled",
            key: "cloud.init",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<bool> {
        image.cloud.init
    }

    fn judge(&self, got: &InitStatus, want: &bool) -> Verdict {
        let said = match (got.installed, got.switched_off) {
            (false, _) => "not installed",
            (true, true) => "switched off by /etc/cloud/cloud-init.disabled",
            (true, false) => "installed",
        };
        let usable = got.installed && !got.switched_off;
        Verdict::of(usable == *want, if *want { "installed" } else { "not installed" }, said)
    }
}

/// cloud-init finished without error.
pub struct InitWithoutError;

impl Check for InitWithoutError {
    type Fact = InitStatus;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "cloud.init-without-error",
            demand: "cloud-init is done and counts no error, or had no data source to look at",
            remedy: "/var/log/cloud-init.log names the module; mend its configuration under /etc/cloud",
            key: "cloud.init",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.cloud.init == Some(true)).then_some(())
    }

    fn judge(&self, got: &InitStatus, (): &()) -> Verdict {
        let (fine, recoverable): (bool, &[String]) = match &got.run {
            Run::LeftOut => (true, &[]),
            Run::Never => (false, &[]),
            Run::Ran(stages) => (stages.unfinished.is_none() && stages.errors.is_empty(), &stages.recoverable),
        };
        let verdict = Verdict::of(fine, "done without error", &got.run);
        recoverable.iter().fold(verdict, |verdict, text| verdict.note(text.clone()))
    }
}

/// cloud-init went on in spite of nothing.
pub struct InitWithoutWarning;

impl Check for InitWithoutWarning {
    type Fact = InitStatus;
    /// The warnings that may be.
    type Want = Vec<Pattern>;

    fn about(&self) -> &About {
        &About {
            id: "cloud.init-without-warning",
            demand: "no stage of cloud-init counts a warning or a deprecated setting that is not declared",
            remedy: "the text names the module or the setting; mend the configuration under /etc/cloud",
            key: "cloud.warnings",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<Pattern>> {
        image.cloud.warnings.clone()
    }

    fn judge(&self, got: &InitStatus, want: &Vec<Pattern>) -> Verdict {
        let recoverable: &[String] = match &got.run {
            Run::Ran(stages) => &stages.recoverable,
            Run::LeftOut | Run::Never => &[],
        };
        let strange: Vec<_> =
            recoverable.iter().filter(|text| !want.iter().any(|pattern| pattern.matches(text))).cloned().collect();
        let said = if strange.is_empty() { "none".to_owned() } else { strange.join("; ") };
        let wanted: Vec<_> = want.iter().map(ToString::to_string).collect();
        Verdict::of(strange.is_empty(), if wanted.is_empty() { "none".to_owned() } else { wanted.join(", ") }, said)
    }
}
