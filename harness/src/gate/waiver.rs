//! Waivers: that a check may fail for an image, why, who answers for it, and until when.

use std::fmt;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use kverify_checks::{Outcome, SkipCause, Status, all};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One failure that is borne for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// The check, by ID.
    pub check: String,
    /// The image: its file name, or the beginning of it and `*`, or its digest.
    pub image: String,
    /// Why it is borne.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day on which it holds, in UTC.
    #[schemars(with = "String")]
    pub until: Date,
}

/// The waivers of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waivers {
    #[serde(default)]
    waiver: Vec<Waiver>,
}

/// What is wrong with a file of waivers.
#[derive(Debug, thiserror::Error)]
pub enum WaiverError {
    /// It cannot be read.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// A field says nothing.
    #[error("the waiver of `{check}` names no {field}")]
    Empty {
        /// The check.
        check: String,
        /// The field.
        field: &'static str,
    },
    /// There is no such check.
    #[error("a waiver names `{0}`, which is no check; `kverify checks` lists them")]
    Unknown(String),
}

impl Waivers {
    /// Reads a file of `[[waiver]]` tables.
    ///
    /// # Errors
    /// [`WaiverError`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, WaiverError> {
        let waivers: Self = toml::from_str(text)?;
        for waiver in &waivers.waiver {
            let fields = [("image", &waiver.image), ("reason", &waiver.reason), ("owner", &waiver.owner)];
            if let Some((field, _)) = fields.into_iter().find(|(_, text)| text.trim().is_empty()) {
                return Err(WaiverError::Empty { check: waiver.check.clone(), field });
            }
            let scenario = waiver.check.starts_with("scenario.");
            if !scenario && !all().any(|check| check.about().id == waiver.check) {
                return Err(WaiverError::Unknown(waiver.check.clone()));
            }
        }
        Ok(waivers)
    }

    /// The first that holds no longer.
    #[must_use]
    pub fn ended(&self, now: Timestamp) -> Option<&Waiver> {
        self.waiver.iter().find(|waiver| !waiver.holds(now))
    }

    /// Lets a failure of this image pass as waived, and gives the waiver. One that has ended is told and changes nothing.
    pub(crate) fn apply(&self, outcome: &mut Outcome, image: &str, now: Timestamp) -> Option<&Waiver> {
        if outcome.status != Status::Fail {
            return None;
        }
        let mut for_this = self.waiver.iter().filter(|waiver| waiver.check == outcome.check && waiver.covers(image));
        let (held, ended): (Vec<_>, Vec<_>) = for_this.by_ref().partition(|waiver| waiver.holds(now));
        let Some(waiver) = held.first() else {
            outcome.notes.extend(ended.iter().map(|waiver| format!("its waiver has ended: {waiver}")));
            return None;
        };
        outcome.status = Status::Skip;
        outcome.cause = Some(SkipCause::Waived);
        outcome.why = Some(waiver.to_string());
        Some(waiver)
    }
}

impl Waiver {
    fn covers(&self, image: &str) -> bool {
        match self.image.strip_suffix('*') {
            Some(beginning) => image.starts_with(beginning),
            None => image == self.image,
        }
    }

    /// Whether it still holds.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        now.to_zoned(TimeZone::UTC).date() <= self.until
    }
}

impl fmt::Display for Waiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "until {} ({}): {}", self.until, self.owner, self.reason)
    }
}

#[cfg(test)]
mod tests {
    use kverify_checks::{Outcome, SkipCause, Status};

    use super::Waivers;

    fn text(check: &str, until: &str) -> String {
        format!(
            "[[waiver]]\ncheck = \"{check}\"\nimage = \"golden-*\"\nreason = \"no switch yet\"\nowner = \"jm\"\nuntil = \"{until}\"\n"
        )
    }

    fn applied(status: Status, check: &str, image: &str, day: &str) -> Outcome {
        let waivers = Waivers::parse(&text("zfs.pools-healthy", "2026-12-31")).unwrap();
        let mut outcome = Outcome::new(check, status);
        waivers.apply(&mut outcome, image, format!("{day}T23:00:00Z").parse().unwrap());
        outcome
    }

    #[test]
    fn it_covers_its_check_on_its_image_until_its_day() {
        let outcome = applied(Status::Fail, "zfs.pools-healthy", "golden-1.qcow2", "2026-12-31");
        assert_eq!((outcome.status, outcome.cause), (Status::Skip, Some(SkipCause::Waived)));
        assert_eq!(outcome.why.as_deref(), Some("until 2026-12-31 (jm): no switch yet"));
        let ended = applied(Status::Fail, "zfs.pools-healthy", "golden-1.qcow2", "2027-01-01");
        assert_eq!(ended.status, Status::Fail);
        assert_eq!(ended.notes, ["its waiver has ended: until 2026-12-31 (jm): no switch yet"]);
        for (check, image) in [("zfs.pool-named", "golden-1.qcow2"), ("zfs.pools-healthy", "silver.qcow2")] {
            assert_eq!(applied(Status::Fail, check, image, "2026-12-01").status, Status::Fail);
        }
        let error = applied(Status::Error, "zfs.pools-healthy", "golden-1.qcow2", "2026-12-01");
        assert_eq!(error.status, Status::Error, "what could not be told is not waived");
    }

    #[test]
    fn what_is_missing_or_unknown_is_an_error() {
        let error = Waivers::parse(&text("zfs.no-such", "2026-12-31")).unwrap_err().to_string();
        assert_eq!(error, "a waiver names `zfs.no-such`, which is no check; `kverify checks` lists them");
        let empty = text("zfs.pools-healthy", "2026-12-31").replace("jm", " ");
        assert_eq!(Waivers::parse(&empty).unwrap_err().to_string(), "the waiver of `zfs.pools-healthy` names no owner");
        assert!(Waivers::parse(&text("zfs.pools-healthy", "soon")).is_err());
        assert!(Waivers::parse("[[waiver]]\ncheck = \"zfs.pools-healthy\"\n").is_err());
    }
}
