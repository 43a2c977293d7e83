//! `kverify checks`: every check that is built in, with what it demands.

use kverify_checks::{AnyCheck, Cost, Need, all};
use serde::Serialize;

use super::said::Said;
use crate::report::{Ink, Page, Style, json};

/// Options of `kverify checks`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// As JSON: a list of objects with id, topic, demand, remedy, key, cost, needs, fact and probes.
    #[arg(long)]
    json: bool,
}

/// A check as a program reads it.
#[derive(Serialize)]
struct Listed {
    id: &'static str,
    topic: &'static str,
    demand: &'static str,
    remedy: &'static str,
    key: &'static str,
    cost: Cost,
    needs: &'static [Need],
    fact: &'static str,
    probes: Vec<String>,
}

/// Every check, by topic.
pub(crate) fn said(args: &Args, style: &Style) -> Said {
    if args.json {
        return Said::well(json::harmless(&all().map(listed).collect::<Vec<_>>()));
    }
    let mut page = Page::new(style);
    let checks: Vec<_> = all().collect();
    let widest = checks.iter().map(|check| check.about().id.len()).max().unwrap_or(0);
    for topic in checks.chunk_by(|one, other| topic(*one) == topic(*other)) {
        page.gap();
        page.line(&style.paint(Ink::Strong, self::topic(topic[0])));
        for check in topic {
            let about = check.about();
            page.hanging(2, widest + 2, Ink::Good, about.id, &format!("{}{}", about.demand, terms(*check)));
        }
    }
    page.gap();
    page.line(&format!("{} checks. `kverify explain ID` tells more of one.", checks.len()));
    Said::well(page.finish())
}

fn listed(check: &dyn AnyCheck) -> Listed {
    let about = check.about();
    Listed {
        id: about.id,
        topic: topic(check),
        demand: about.demand,
        remedy: about.remedy,
        key: about.key,
        cost: about.cost,
        needs: about.needs,
        fact: check.fact().id,
        probes: (check.fact().probes)().iter().map(|probe| probe.source.to_string()).collect(),
    }
}

fn topic(check: &dyn AnyCheck) -> &'static str {
    check.about().id.split('.').next().unwrap_or_default()
}

/// ` (deep, needs dns)`: what is not so of most checks.
fn terms(check: &dyn AnyCheck) -> String {
    let about = check.about();
    let deep = (about.cost == Cost::Deep).then_some("deep");
    let dns = about.needs.contains(&Need::Dns).then_some("needs a name server");
    let sealed = about.needs.contains(&Need::Sealed).then_some("of a sealed image");
    let terms: Vec<_> = deep.into_iter().chain(dns).chain(sealed).collect();
    if terms.is_empty() { String::new() } else { format!(" ({})", terms.join(", ")) }
}

#[cfg(test)]
mod tests {
    use kverify_checks::all;
    use serde_json::Value;

    use super::{Args, said};
    use crate::report::Style;

    #[test]
    fn every_check_is_listed_with_its_demand() {
        let wide = Style { width: 1000, ..Style::default() };
        let text = said(&Args { json: false }, &wide).text;
        for check in all() {
            let about = check.about();
            let line = text.lines().find(|line| line.split_whitespace().next() == Some(about.id));
            assert!(line.is_some_and(|line| line.contains(about.demand)), "{}:\n{text}", about.id);
        }
        let widest = said(&Args { json: false }, &Style::default()).text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{widest:?}");
    }

    #[test]
    fn a_program_reads_the_same_list() {
        let list: Vec<Value> = serde_json::from_str(&said(&Args { json: true }, &Style::default()).text).unwrap();
        assert_eq!(list.len(), all().count());
        let ready = list.iter().find(|check| check["id"] == "boot.ready").unwrap();
        assert_eq!(ready["topic"], "boot");
        assert_eq!(ready["cost"], "quick");
        assert_eq!(ready["fact"], "boot.record");
        assert_eq!(ready["probes"][0], "what the machine did");
    }
}
