//! The report as JSON, and the schema of that.
//!
//! Nothing is lost on the way, so a gate reads what the run wrote; what would act on a terminal is escaped, so that the
//! file can be looked at.

use serde::Serialize;

use super::{Facts, MatrixReport, Report, plain};

/// The report as pretty JSON, ending in a newline.
#[must_use]
pub fn report(report: &Report) -> String {
    harmless(report)
}

/// The JSON schema of the report, ending in a newline.
#[must_use]
pub fn schema() -> String {
    harmless(&schemars::schema_for!(Report))
}

/// The JSON schema of facts.json, ending in a newline.
#[must_use]
pub fn schema_of_facts() -> String {
    harmless(&schemars::schema_for!(Facts))
}

/// The JSON schema of matrix.json, ending in a newline.
#[must_use]
pub fn schema_of_matrix() -> String {
    harmless(&schemars::schema_for!(MatrixReport))
}

/// A value of ours as pretty JSON without dangerous characters, ending in a newline.
///
/// Outside of strings JSON is ASCII, and inside of them serde writes line ends as escapes: what is dangerous stands in
/// a string, where an escape says the same.
pub(crate) fn harmless(value: &impl Serialize) -> String {
    let pretty = serde_json::to_string_pretty(value).expect("records of ours have string keys and no failing parts");
    escaped(&pretty) + "\n"
}

/// The same in one line, which it does not end.
pub(crate) fn harmless_line(value: &impl Serialize) -> String {
    escaped(&serde_json::to_string(value).expect("records of ours have string keys and no failing parts"))
}

fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if character != '\n' && plain::dangerous(character) {
            text.extend(character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use kverify_checks::{Group, Traits};
    use serde_json::Value;

    use crate::report::{
        Facts, Report,
        facts::sample,
        samples::{hostile, refuted, verified},
    };

    #[test]
    fn what_is_written_reads_back_the_same() {
        for report in [verified(), refuted(), hostile()] {
            let text = super::report(&report);
            assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
        }
    }

    #[test]
    fn the_schema_knows_every_key_that_is_written() {
        let mut known = BTreeSet::new();
        properties(&serde_json::from_str(&super::schema()).unwrap(), &mut known);
        let mut written = BTreeSet::new();
        keys(&serde_json::from_str(&super::report(&refuted())).unwrap(), &mut written);
        assert!(written.is_subset(&known), "{:?}", written.difference(&known).collect::<Vec<_>>());
        assert!(known.contains("outcomes") && known.contains("console_tail"), "{known:?}");
    }

    #[test]
    fn the_schema_of_facts_knows_every_key_that_is_written() {
        let (mut known, mut written) = (BTreeSet::new(), BTreeSet::new());
        properties(&serde_json::from_str(&super::schema_of_facts()).unwrap(), &mut known);
        let mut facts = sample();
        facts.add("a.fact", Traits::of(&[Group::Users]));
        facts.known[0].left_out = 1;
        keys(&serde_json::from_str(&facts.text()).unwrap(), &mut written);
        assert!(written.is_subset(&known) && written.contains("left_out"), "{written:?} {known:?}");
        assert_eq!(serde_json::from_str::<Facts>(&facts.text()).unwrap(), facts);
    }

    fn properties(schema: &Value, known: &mut BTreeSet<String>) {
        match schema {
            Value::Object(object) => {
                if let Some(Value::Object(properties)) = object.get("properties") {
                    known.extend(properties.keys().cloned());
                }
                object.values().for_each(|inner| properties(inner, known));
            }
            Value::Array(array) => array.iter().for_each(|inner| properties(inner, known)),
            _ => {}
        }
    }

    fn keys(value: &Value, written: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                written.extend(object.keys().cloned());
                object.values().for_each(|inner| keys(inner, written));
            }
            Value::Array(array) => array.iter().for_each(|inner| keys(inner, written)),
            _ => {}
        }
    }
}
