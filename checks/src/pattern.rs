//! A regular expression as an expectation writes it: wrong ones are reported where they stand, not when they are used.

use std::{borrow::Cow, fmt};

use regex::Regex;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// A regular expression that matches anywhere in a text unless it is anchored.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// Whether it matches somewhere in `text`.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let why = |error: regex::Error| D::Error::custom(format!("`{text}` is no regular expression: {error}"));
        Regex::new(&text).map(Self).map_err(why)
    }
}

impl JsonSchema for Pattern {
    fn schema_name() -> Cow<'static, str> {
        "Pattern".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "regex" })
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::Pattern;

    #[derive(Deserialize)]
    struct Holder {
        is: Pattern,
    }

    #[test]
    fn a_wrong_expression_is_an_error_of_its_file() {
        let good: Holder = toml::from_str("is = 'deb1\\d-amd64$'").unwrap();
        assert!(good.is.matches("6.12.48+deb13-amd64") && !good.is.matches("6.12.48-cloud"));
        let error = toml::from_str::<Holder>("is = '(deb'").err().unwrap();
        assert!(error.message().starts_with("`(deb` is no regular expression"), "{error}");
    }
}
