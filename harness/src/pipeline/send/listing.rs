//! What sftp says of a folder on another host: what is in it, and how much room there is.

use std::{collections::BTreeMap, sync::LazyLock};

use regex::Regex;

use super::batch::command_of;

/// A line of `ls -lan`. Names of users and groups may hold blanks; the date behind them tells where they end.
static LINE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^([-a-z])[-a-zA-Z+.@]{9,} +\S+ .*? +(\d+) [A-Z][a-z]{2} +\d{1,2} +[\d:]{4,5} (.+)$")
        .unwrap_or_else(|error| panic!("{error}"))
});

/// What is in a folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    /// Bytes that are free, where the server says it.
    pub(super) free: Option<u64>,
    entries: BTreeMap<String, Entry>,
}

/// What has a name there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// A file of so many bytes.
    File(u64),
    /// A folder, a link, a device.
    Other,
}

impl Listing {
    /// Reads what sftp wrote; of several lists the last counts.
    pub(super) fn read(said: &str) -> Self {
        let mut listing = Self::default();
        let mut command = "";
        for line in said.lines() {
            if let Some(next) = command_of(line) {
                command = next;
                if command.starts_with("ls ") {
                    listing.entries.clear();
                }
            } else if command == "-df" {
                listing.free = free(line).or(listing.free);
            } else if let Some(found) = LINE.captures(line) {
                let file = (&found[1] == "-").then(|| found[2].parse().ok()).flatten();
                listing.entries.insert(found[3].to_owned(), file.map_or(Entry::Other, Entry::File));
            }
        }
        listing
    }

    /// What has this name.
    pub(super) fn entry(&self, name: &str) -> Option<Entry> {
        self.entries.get(name).copied()
    }
}

/// The bytes that are free, of a line of `df`: size, used, free to the user, free to root in KiB, and percent.
fn free(line: &str) -> Option<u64> {
    let words: Vec<_> = line.split_whitespace().collect();
    let [size, _, free, _, _] = words.as_slice() else { return None };
    // Where nothing is counted, as on /proc, it says nothing of what has room.
    (size.parse::<u64>().ok()? > 0).then(|| free.parse::<u64>().ok()?.checked_mul(1024)).flatten()
}

#[cfg(test)]
mod tests {
    use super::{Entry, Listing};

    const SAID: &str = r#"sftp> cd "/srv"
sftp> -df
        Size         Used        Avail       (root)    %Capacity
   264212084     28769928     66515960    235442156          10%
sftp> ls -lan
drwxr-xr-x    ? root     root         4096 Nov 30 18:28 .
-rw-r--r--    ? 1000     1000       300000 Nov 30 18:28 .f.part
-rw-r--r--    ? me       domain users 8589934592 Nov  3  2025 golden.raw
-rw-r--r--    ? 0        0               5 Jan  1  1970 old golden.vhd
lrwxrwxrwx    ? 0        0               5 Nov 30 18:28 golden.ova
"#;

    #[test]
    fn a_list_is_read_and_so_is_the_room() {
        let listing = Listing::read(SAID);
        assert_eq!(listing.free, Some(66_515_960 * 1024));
        assert_eq!(listing.entry(".f.part"), Some(Entry::File(300_000)));
        assert_eq!(listing.entry("golden.raw"), Some(Entry::File(8_589_934_592)));
        assert_eq!(listing.entry("old golden.vhd"), Some(Entry::File(5)));
        assert_eq!(listing.entry("golden.vhd"), None);
        assert_eq!(listing.entry("golden.ova"), Some(Entry::Other));
        assert_eq!(listing.entry("."), Some(Entry::Other));
    }

    #[test]
    fn a_server_that_tells_no_room_is_no_full_one() {
        let none = "sftp> -df\nsftp> ls -lan\n";
        assert_eq!(Listing::read(none), Listing::default());
        let not_counted = "sftp> -df\n   Size Used Avail (root) %Capacity\n   0  0  0  0  ERR\n";
        assert_eq!(Listing::read(not_counted).free, None);
    }
}
