//! Which checks are asked, which are skipped and why, and which probes that takes.

use kverify_checks::{AnyCheck, Cost, Effect, Expectation, Need, Probe, SkipCause, Source, all};
use regex::Regex;

/// `--only` and `--skip`: IDs or globs such as `zfs.*`.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    only: Vec<Regex>,
    skip: Vec<Regex>,
}

/// A pattern that names nothing.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` names no check; `kverify checks` lists them")]
pub struct FilterError(String);

impl Filter {
    /// Reads the patterns; one that names no check is an error, since it would quietly change what is tested.
    ///
    /// # Errors
    /// [`FilterError`] names the pattern.
    pub fn new(only: &[String], skip: &[String]) -> Result<Self, FilterError> {
        let read = |patterns: &[String]| patterns.iter().map(|pattern| glob(pattern)).collect::<Result<Vec<_>, _>>();
        Ok(Self { only: read(only)?, skip: read(skip)? })
    }

    fn leaves_out(&self, id: &str) -> bool {
        let any = |patterns: &[Regex]| patterns.iter().any(|pattern| pattern.is_match(id));
        any(&self.skip) || (!self.only.is_empty() && !any(&self.only))
    }
}

fn glob(pattern: &str) -> Result<Regex, FilterError> {
    let unknown = || FilterError(pattern.to_owned());
    let text = format!("^{}$", regex::escape(pattern).replace(r"\*", ".*").replace(r"\?", "."));
    let regex = Regex::new(&text).map_err(|_| unknown())?;
    all().any(|check| regex.is_match(check.about().id)).then_some(regex).ok_or_else(unknown)
}

/// One check with what is done about it.
pub(crate) struct Planned {
    pub(crate) check: &'static dyn AnyCheck,
    /// Why it is skipped, and what that rests on.
    pub(crate) skip: Option<(SkipCause, String)>,
}

/// Every built-in check, asked or skipped.
pub(crate) struct Plan {
    pub(crate) checks: Vec<Planned>,
}

impl Plan {
    /// Plans for an expectation; `lacks` are the needs that this host and network do not meet, each with the reason.
    pub(crate) fn new(expectation: &Expectation, filter: &Filter, lacks: &[(Need, &str)]) -> Self {
        let skip = |check: &dyn AnyCheck| {
            let about = check.about();
            if !check.asked(expectation) {
                return Some((SkipCause::NotAsked, format!("the expectation has no `{}`", about.key)));
            }
            if filter.leaves_out(about.id) {
                return Some((SkipCause::Filtered, "left out by --only or --skip".to_owned()));
            }
            let lack = lacks.iter().find(|(need, _)| about.needs.contains(need))?;
            Some((SkipCause::NotHere, lack.1.to_owned()))
        };
        Self { checks: all().map(|check| Planned { check, skip: skip(check) }).collect() }
    }

    /// The guest probes of the asked checks of one cost, each once; those that only look come first.
    ///
    /// A probe that a quick check asks is not asked again for a deep one.
    pub(crate) fn guest_probes(&self, cost: Cost) -> Vec<Probe> {
        let of = |cost: Cost| {
            let asked = self.checks.iter().filter(move |planned| planned.skip.is_none());
            let asked = asked.filter(move |planned| planned.check.about().cost == cost);
            let probes = asked.flat_map(|planned| (planned.check.fact().probes)());
            probes.filter(|probe| matches!(probe.source, Source::Command(_) | Source::File(_)))
        };
        let earlier: Vec<_> = if cost == Cost::Deep { of(Cost::Quick).collect() } else { Vec::new() };
        let mut probes: Vec<Probe> = Vec::new();
        for probe in of(cost) {
            let same = |other: &Probe| other.source == probe.source;
            if !earlier.iter().any(same) && !probes.iter().any(same) {
                probes.push(probe);
            }
        }
        probes.sort_by_key(|probe| probe.effect == Effect::Touches);
        probes
    }
}

#[cfg(test)]
mod tests {
    use kverify_checks::{Expectation, Need, SkipCause};

    use super::{Filter, Plan};

    fn asked() -> Expectation {
        let mut expectation = Expectation::default();
        expectation.boot.ready = Some(true);
        expectation.zfs.pool = Some("rpool".to_owned());
        expectation
    }

    fn skipped(plan: &Plan, id: &str) -> Option<SkipCause> {
        let planned = plan.checks.iter().find(|planned| planned.check.about().id == id).unwrap();
        planned.skip.as_ref().map(|skip| skip.0)
    }

    #[test]
    fn a_filter_leaves_out_what_it_does_not_name() {
        let only = Filter::new(&["zfs.*".to_owned()], &[]).unwrap();
        let plan = Plan::new(&asked(), &only, &[]);
        assert_eq!(skipped(&plan, "zfs.pool-named"), None);
        assert_eq!(skipped(&plan, "boot.ready"), Some(SkipCause::Filtered));
        let skip = Filter::new(&[], &["zfs.pool-?amed".to_owned()]).unwrap();
        assert_eq!(skipped(&Plan::new(&asked(), &skip, &[]), "zfs.pool-named"), Some(SkipCause::Filtered));
    }

    #[test]
    fn a_pattern_that_names_nothing_is_an_error() {
        let error = Filter::new(&["zsf.*".to_owned()], &[]).unwrap_err();
        assert_eq!(error.to_string(), "`zsf.*` names no check; `kverify checks` lists them");
    }

    #[test]
    fn what_the_expectation_does_not_ask_is_skipped_before_all_else() {
        let only = Filter::new(&["boot.ready".to_owned()], &[]).unwrap();
        let plan = Plan::new(&Expectation::default(), &only, &[(Need::Settled, "why")]);
        assert!(plan.checks.iter().all(|planned| planned.skip.as_ref().unwrap().0 == SkipCause::NotAsked));
    }

    #[test]
    fn a_lack_names_its_reason() {
        let plan = Plan::new(&asked(), &Filter::default(), &[(Need::Settled, "no machine")]);
        let planned = plan.checks.iter().find(|planned| planned.check.about().id == "zfs.pool-named").unwrap();
        assert_eq!(planned.skip, Some((SkipCause::NotHere, "no machine".to_owned())));
        assert_eq!(skipped(&plan, "boot.ready"), None);
    }
}
