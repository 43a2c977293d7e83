//! The answers of a run by what was asked, and the outcomes that follow from them.

use std::collections::{BTreeMap, HashMap};

use kverify_checks::{
    AnyCheck, Fact, Outcome, Output, Probe, Source, Status, Traits, Unreadable,
    expect::Resolved,
    fact::{FactKind, Gathered},
    outcome::Evidence,
};

use super::plan::Planned;

/// How much of each output stream the record keeps; the evidence files keep all of it.
const IN_RECORD: usize = 2048;

/// Everything that was answered.
#[derive(Default)]
pub(crate) struct Answers {
    /// The machine that was asked where nothing else is said.
    machine: String,
    outputs: HashMap<Source, Output>,
    /// The machine that a fact was gathered on, where it was another.
    elsewhere: HashMap<&'static str, String>,
    /// Why a fact could not be gathered.
    failed: HashMap<&'static str, String>,
    facts: HashMap<&'static str, Result<Gathered, Unreadable>>,
}

impl Answers {
    /// Answers of a machine of this name.
    pub(crate) fn of(machine: &str) -> Self {
        Self { machine: machine.to_owned(), ..Self::default() }
    }

    pub(crate) fn extend(&mut self, answered: impl IntoIterator<Item = (Source, Output)>) {
        self.outputs.extend(answered);
    }

    /// Adds the answers to probes, in their order.
    pub(crate) fn answered(&mut self, probes: Vec<Probe>, outputs: Vec<Output>) {
        self.outputs.extend(probes.into_iter().map(|probe| probe.source).zip(outputs));
    }

    /// Says that a fact was gathered on this machine.
    pub(crate) fn gathered_on(&mut self, fact: &'static str, machine: &str) {
        self.elsewhere.insert(fact, machine.to_owned());
    }

    /// Says why a fact could not be gathered.
    pub(crate) fn fail(&mut self, fact: &'static str, why: String) {
        self.failed.insert(fact, why);
    }

    /// The machine that a check was asked of.
    fn machine(&self, check: &dyn AnyCheck) -> Option<String> {
        let of_image = |probe: &Probe| matches!(probe.source, Source::Image(_));
        let fact = check.fact();
        if (fact.probes)().iter().all(of_image) {
            return None;
        }
        Some(self.elsewhere.get(fact.id).cloned().unwrap_or_else(|| self.machine.clone()))
    }

    /// A fact, where all that it asks was answered and can be read.
    pub(crate) fn read<F: Fact>(&self) -> Option<F> {
        let outputs =
            F::probes().iter().map(|probe| self.outputs.get(&probe.source).cloned()).collect::<Option<Vec<_>>>()?;
        F::parse(&outputs).ok()
    }

    /// The full answers behind a check, in the order of its fact's probes.
    pub(crate) fn behind(&self, check: &dyn AnyCheck) -> Vec<(Source, Output)> {
        let probes = (check.fact().probes)();
        probes.into_iter().filter_map(|probe| self.outputs.get_key_value(&probe.source)).map(cloned).collect()
    }

    /// What came of one check. `unasked` says why the machine could not be asked, where it could not.
    pub(crate) fn judge(&mut self, planned: &Planned, resolved: &Resolved, unasked: Option<&str>) -> Outcome {
        let about = planned.check.about();
        let mut outcome = Outcome::new(about.id, Status::Skip);
        outcome.want_at = resolved.origin(about.key).map(ToString::to_string);
        if let Some((cause, why)) = &planned.skip {
            (outcome.cause, outcome.why) = (Some(*cause), Some(why.clone()));
            return outcome;
        }
        outcome.machine = self.machine(planned.check);
        outcome.evidence = self.behind(planned.check).iter().map(evidence).collect();
        let verdict = self.fact(planned.check.fact(), unasked).and_then(|fact| {
            let verdict = planned.check.judge(fact.as_ref(), &resolved.expectation);
            verdict.ok_or_else(|| "the expectation asks nothing after all".to_owned())
        });
        outcome.judged(verdict)
    }

    /// A fact, read once; or why it is not known.
    fn fact(&mut self, kind: FactKind, unasked: Option<&str>) -> Result<&Gathered, String> {
        let outputs =
            (kind.probes)().iter().map(|probe| self.outputs.get(&probe.source).cloned()).collect::<Option<Vec<_>>>();
        let Some(outputs) = outputs else {
            let failed = self.failed.get(kind.id).map(String::as_str);
            return Err(unasked.or(failed).unwrap_or("it was not answered").to_owned());
        };
        let read = self.facts.entry(kind.id).or_insert_with(|| (kind.parse)(&outputs));
        read.as_ref().map_err(ToString::to_string)
    }

    /// What a fact tells of the image, or why it is not known.
    pub(super) fn traits(&mut self, kind: FactKind, unasked: Option<&str>) -> Result<Traits, String> {
        let fact = self.fact(kind, unasked)?;
        (kind.tell)(fact.as_ref()).ok_or_else(|| "it is another fact".to_owned())
    }

    /// The full answers behind each of `checks` that has any, by check ID.
    pub(crate) fn by_check<'a>(
        &self,
        checks: impl Iterator<Item = &'a Planned>,
    ) -> BTreeMap<String, Vec<(Source, Output)>> {
        let asked = checks.filter(|planned| planned.skip.is_none());
        asked.map(|planned| (planned.check.about().id.to_owned(), self.behind(planned.check))).collect()
    }
}

fn cloned((source, output): (&Source, &Output)) -> (Source, Output) {
    (source.clone(), output.clone())
}

fn evidence((source, output): &(Source, Output)) -> Evidence {
    let (stdout, cut_stdout) = beginning(&output.stdout);
    let (stderr, cut_stderr) = beginning(&output.stderr);
    Evidence {
        from: source.to_string(),
        exit: output.exit,
        seconds: output.took.as_secs_f64(),
        stdout,
        stderr,
        cut: output.truncated || cut_stdout || cut_stderr,
    }
}

fn beginning(text: &str) -> (String, bool) {
    let end = text.floor_char_boundary(IN_RECORD);
    (text[..end].to_owned(), end < text.len())
}
