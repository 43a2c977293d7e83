//! One row of the table of devices that `zpool status` prints.

use std::sync::LazyLock;

use regex::Regex;

use crate::fact::Unreadable;

/// One row: the pool, a group of devices, or a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vdev {
    /// Its name as printed; device names hold colons, and paths blanks.
    pub name: String,
    /// `logs`, `cache`, `spares`, `special` or `dedup`, for what stands under such a heading.
    pub section: Option<String>,
    /// `ONLINE`, `DEGRADED`, `FAULTED`, `OFFLINE`, `REMOVED`, `UNAVAIL`; of a spare `AVAIL` or `INUSE`.
    pub state: String,
    /// Errors counted: read, write, checksum; nothing for a spare. As printed, since without `-p` it may be `1.2K`.
    pub counters: Option<[String; 3]>,
    /// What is said beside it (`too many errors`, `was /dev/sdc1`, `(resilvering)`), or nothing.
    pub note: String,
}

impl Vdev {
    /// Reads a row under the heading `section`.
    ///
    /// # Errors
    /// [`Unreadable`] if it is not a name, a known state, and three counters or none.
    pub(super) fn read(row: &str, section: Option<&str>) -> Result<Self, Unreadable> {
        static ROW: LazyLock<Option<Regex>> = LazyLock::new(|| {
            let state = "ONLINE|DEGRADED|FAULTED|OFFLINE|REMOVED|UNAVAIL|AVAIL|INUSE";
            let count = r"(\d+(?:\.\d+)?[KMGTPE]?)";
            let counts = format!(r"(?:\s+{count}\s+{count}\s+{count})?(?:\s+(?:\d+|-))?");
            Regex::new(&format!(r"^\s+(\S.*?)\s+({state}){counts}(?:\s+(.*))?$")).ok()
        });
        let unreadable = || Unreadable::new(format!("not a row of devices: {}", row.trim()));
        let found = ROW.as_ref().and_then(|shape| shape.captures(row.trim_end())).ok_or_else(unreadable)?;
        let part = |at: usize| found.get(at).map(|part| part.as_str().to_owned());
        let counters = match (part(3), part(4), part(5)) {
            (Some(read), Some(write), Some(checksum)) => Some([read, write, checksum]),
            _ => None,
        };
        let vdev = Self {
            name: part(1).unwrap_or_default(),
            section: section.map(str::to_owned),
            state: part(2).unwrap_or_default(),
            counters,
            note: part(6).unwrap_or_default(),
        };
        if vdev.counters.is_none() && vdev.section.as_deref() != Some("spares") { Err(unreadable()) } else { Ok(vdev) }
    }

    /// What is wrong with it, or nothing.
    pub(super) fn illness(&self) -> Option<String> {
        let name = &self.name;
        let note = if self.note.is_empty() { String::new() } else { format!(" ({})", self.note) };
        match (self.state.as_str(), self.section.as_deref()) {
            ("AVAIL", Some("spares")) => return None,
            ("INUSE", Some("spares")) => return Some(format!("spare {name} in use")),
            ("ONLINE", _) => {}
            (state, Some(section)) => return Some(format!("{section} {name} {state}{note}")),
            (state, None) => return Some(format!("{name} {state}{note}")),
        }
        let kinds = ["read", "write", "checksum"];
        let counted = self.counters.iter().flatten().zip(kinds).filter(|(count, _)| *count != "0");
        let plural = |count: &str| if count == "1" { "error" } else { "errors" };
        let counted: Vec<_> =
            counted.map(|(count, kind)| format!("{count} {kind} {} on {name}", plural(count))).collect();
        (!counted.is_empty()).then(|| counted.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::Vdev;

    #[test]
    fn a_row_is_read_whatever_its_name_holds() {
        let vdev =
            Vdev::read("\t    /mnt/my disk:ONLINE 2  FAULTED     12   753  1.2K  too many errors", None).unwrap();
        assert_eq!(vdev.name, "/mnt/my disk:ONLINE 2");
        assert_eq!(vdev.illness().unwrap(), "/mnt/my disk:ONLINE 2 FAULTED (too many errors)");
    }

    #[test]
    fn a_column_of_slow_operations_is_not_a_note() {
        let vdev = Vdev::read("\t  sda  ONLINE       0     0     0     7  (resilvering)", None).unwrap();
        assert_eq!(vdev.note, "(resilvering)");
    }

    #[test]
    fn a_row_cut_off_is_refused() {
        assert!(Vdev::read("\t  sda  ONLINE       0     0", None).is_err());
        assert!(Vdev::read("\t  sda  ONLI", None).is_err());
    }
}
