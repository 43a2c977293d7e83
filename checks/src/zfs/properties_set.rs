//! Properties of datasets: what programs and the safety of their data depend on.

use std::collections::BTreeMap;

use super::datasets::{Dataset, Datasets};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    outcome::Verdict,
};

/// The name under which an expectation says what every file system and volume has unless it says otherwise of one.
const EVERY: &str = "*";

/// The datasets have the expected properties.
pub struct PropertiesSet;

impl Check for PropertiesSet {
    type Fact = Datasets;
    type Want = BTreeMap<String, BTreeMap<String, String>>;

    fn about(&self) -> &About {
        &About {
            id: "zfs.properties-set",
            demand: "every dataset has the properties expected of it, and of all",
            remedy: "`zfs set PROPERTY=VALUE DATASET` before data is written; `zfs inherit PROPERTY DATASET`",
            key: "zfs.properties",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Self::Want> {
        Some(image.zfs.properties.clone()).filter(|want| !want.is_empty())
    }

    fn judge(&self, got: &Datasets, want: &Self::Want) -> Verdict {
        let all: Vec<_> = got.list.iter().filter(|dataset| dataset.kind != "snapshot").collect();
        let missing = want.keys().filter(|name| *name != EVERY && !all.iter().any(|dataset| dataset.name == **name));
        let mut amiss: Vec<_> = missing.map(|name| format!("no {name}")).collect();
        if all.is_empty() {
            amiss.push("no dataset".to_owned());
        }
        for dataset in &all {
            // What is expected of one by name goes before what is expected of all.
            let of_all = want.get(EVERY).into_iter().flatten();
            let of_all = of_all.filter(|(property, _)| dataset.kind == "filesystem" || applies(dataset, property));
            let named = want.get(&dataset.name).into_iter().flatten();
            let asked: BTreeMap<_, _> = of_all.chain(named).collect();
            amiss.extend(asked.into_iter().filter_map(|(property, value)| other(dataset, property, value)));
        }
        let said = if amiss.is_empty() { format!("as expected on {} datasets", all.len()) } else { amiss.join(", ") };
        Verdict::of(amiss.is_empty(), words(want), said)
    }
}

/// Whether a volume has such a property at all.
fn applies(dataset: &Dataset, property: &str) -> bool {
    dataset.properties.get(property).is_some_and(|value| value != "-")
}

/// What the dataset has instead of the value, or nothing.
fn other(dataset: &Dataset, property: &str, value: &str) -> Option<String> {
    match dataset.properties.get(property) {
        Some(there) if there == value => None,
        Some(there) => Some(format!("{} {property} {there}", dataset.name)),
        None => Some(format!("{} {property} not asked", dataset.name)),
    }
}

fn words(want: &BTreeMap<String, BTreeMap<String, String>>) -> String {
    let of = |(name, properties): (&String, &BTreeMap<String, String>)| {
        let properties: Vec<_> = properties.iter().map(|(property, value)| format!("{property} {value}")).collect();
        format!("{}: {}", if name == EVERY { "all" } else { name }, properties.join(", "))
    };
    want.iter().map(of).collect::<Vec<_>>().join("; ")
}
