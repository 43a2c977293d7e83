//! Permissions as an expectation writes them: `0640 root:shadow`.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The twelve bits of a mode, written in octal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mode(pub u32);

/// What a file lets whom do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Permissions {
    /// The mode.
    pub mode: Mode,
    /// The owner's name, or number where it has none.
    pub owner: String,
    /// The group's name, or number where it has none.
    pub group: String,
}

/// Why permissions could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not `MODE` in octal, or `MODE OWNER:GROUP`")]
pub struct PermissionsError(String);

const STICKY: u32 = 0o1000;

impl Mode {
    /// Whether it opens nothing that `most` does not, and protects by a sticky bit what `most` so protects.
    #[must_use]
    pub fn within(self, most: Self) -> bool {
        self.0 & !(most.0 | STICKY) == 0 && most.0 & STICKY & !self.0 == 0
    }

    /// Whether the group or everybody may write.
    pub(crate) fn group_or_others_write(self) -> (bool, bool) {
        (self.0 & 0o020 != 0, self.0 & 0o002 != 0)
    }
}

impl Permissions {
    /// Whether it opens the file to nobody to whom `most` does not.
    #[must_use]
    pub fn within(&self, most: &Self) -> bool {
        let group_gets_nothing = self.mode.0 & 0o2070 == 0;
        self.mode.within(most.mode)
            && self.owner == most.owner
            && (self.group == most.group || self.group == "root" || group_gets_nothing)
    }
}

impl FromStr for Mode {
    type Err = PermissionsError;

    fn from_str(text: &str) -> Result<Self, PermissionsError> {
        let octal = (1..=4).contains(&text.len()) && text.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
        let mode = if octal { u32::from_str_radix(text, 8).ok() } else { None };
        mode.map(Self).ok_or_else(|| PermissionsError(text.to_owned()))
    }
}

impl FromStr for Permissions {
    type Err = PermissionsError;

    fn from_str(text: &str) -> Result<Self, PermissionsError> {
        let bad = || PermissionsError(text.to_owned());
        let (mode, whose) = text.split_once(' ').ok_or_else(bad)?;
        let (owner, group) = whose.split_once(':').ok_or_else(bad)?;
        if owner.is_empty() || group.is_empty() || whose.contains(' ') {
            return Err(bad());
        }
        let mode = mode.parse().map_err(|_| bad())?;
        Ok(Self { mode, owner: owner.to_owned(), group: group.to_owned() })
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}:{}", self.mode, self.owner, self.group)
    }
}

impl TryFrom<String> for Mode {
    type Error = PermissionsError;

    fn try_from(text: String) -> Result<Self, PermissionsError> {
        text.parse()
    }
}

impl From<Mode> for String {
    fn from(mode: Mode) -> Self {
        mode.to_string()
    }
}

impl TryFrom<String> for Permissions {
    type Error = PermissionsError;

    fn try_from(text: String) -> Result<Self, PermissionsError> {
        text.parse()
    }
}

impl From<Permissions> for String {
    fn from(permissions: Permissions) -> Self {
        permissions.to_string()
    }
}

impl JsonSchema for Mode {
    fn schema_name() -> Cow<'static, str> {
        "Mode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-7]{1,4}$" })
    }
}

impl JsonSchema for Permissions {
    fn schema_name() -> Cow<'static, str> {
        "Permissions".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-7]{1,4} [^ :]+:[^ :]+$" })
    }
}

#[cfg(test)]
mod tests {
    use super::{Mode, Permissions};

    fn within(is: &str, most: &str) -> bool {
        is.parse::<Permissions>().unwrap().within(&most.parse().unwrap())
    }

    #[test]
    fn tighter_is_within_and_looser_is_not() {
        assert!(within("0600 root:root", "0640 root:shadow"));
        assert!(within("0640 root:root", "0640 root:shadow"));
        assert!(within("0600 root:adm", "0640 root:shadow"));
        assert!(within("4755 root:root", "4755 root:root"));
        assert!(within("1777 root:root", "1777 root:root"));
        assert!(within("1755 root:root", "0755 root:root"));
        assert!(!within("0640 root:adm", "0640 root:shadow"));
        assert!(!within("0644 root:shadow", "0640 root:shadow"));
        assert!(!within("0600 admin:root", "0640 root:shadow"));
        assert!(!within("6755 root:shadow", "2755 root:shadow"));
        assert!(!within("0777 root:root", "1777 root:root"), "the sticky bit protects");
    }

    #[test]
    fn what_is_not_permissions_is_refused() {
        for text in ["0640", "0640 root", "0640 root:", "8640 root:root", "00640 root:root", "0640 root:a b", "+64 r:r"]
        {
            assert!(text.parse::<Permissions>().is_err(), "{text}");
        }
        assert_eq!("755".parse::<Mode>().unwrap().to_string(), "0755");
        assert_eq!("755 root:root".parse::<Permissions>().unwrap().to_string(), "0755 root:root");
    }
}
