//! The record of a matrix: what came of each row, and what differs between rows of one image.

mod page;
mod table;

use std::collections::BTreeMap;

use jiff::Timestamp;
use kverify_checks::Status;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Conclusion, Subject};
use crate::image::Digest;

pub use page::page as matrix_page;
pub use table::table as matrix_table;

/// Everything that a run of `kverify matrix` found out. The report of each row stands in the folder of its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MatrixReport {
    /// Version of kverify that made it.
    pub kverify: String,
    /// The matrix file, as it was named.
    pub matrix: String,
    /// `sha256:` and 64 hex digits, over the bytes of the file.
    #[schemars(with = "String")]
    pub digest: Digest,
    /// Which part of the matrix this is, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// Every row of the matrix.
    pub all: Vec<String>,
    /// The rows that were to be run, in the order of the matrix: all, or those of the shard or of `--only`.
    pub due: Vec<String>,
    /// Those that are over, in the order of the matrix.
    pub rows: Vec<RowReport>,
    /// Checks that ended differently on rows of one image.
    pub differences: Vec<Difference>,
    /// What all of it says: a row that is due and is not there is no verdict.
    pub verdict: Conclusion,
    /// When the run began (RFC 3339).
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// When the last row was over.
    #[schemars(with = "String")]
    pub finished: Timestamp,
}

/// A part of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// Its number, from 1.
    pub number: usize,
    /// Into how many parts the matrix was parted.
    pub of: usize,
}

/// What came of one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowReport {
    /// Its name, and that of the folder with its report.
    pub row: String,
    /// What it was compared with, by name or file.
    pub expect: String,
    /// The image, where it was come to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Subject>,
    /// What it begins with: `uefi`, or `uefi-secure-boot`, which starts only what is signed.
    #[serde(default = "uefi")]
    pub firmware: String,
    /// How its disk is attached: `virtio`, `scsi`, `sata` or `nvme`.
    pub bus: String,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Virtual CPUs.
    pub cpus: u32,
    /// What its report says.
    pub verdict: Conclusion,
    /// Why there is no report, if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Why earlier tries came to no report, the first first: the host failed, and the row was tried again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tries: Vec<String>,
    /// How each check and scenario ended, by ID.
    pub checks: BTreeMap<String, Status>,
    /// When it was begun.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// Seconds that it took, the getting of its image included.
    pub seconds: f64,
}

/// What every row began with before there was a choice.
fn uefi() -> String {
    "uefi".to_owned()
}

/// A check that ended differently on rows of one image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// The digest of the image.
    pub image: String,
    /// The check, by ID.
    pub check: String,
    /// The rows of that image by how it ended.
    pub ended: BTreeMap<Status, Vec<String>>,
}

impl MatrixReport {
    /// Says again what follows from the rows, after some were added.
    pub(crate) fn conclude(&mut self) {
        self.rows.sort_by_cached_key(|row| self.all.iter().position(|name| *name == row.row));
        self.verdict = match verdict(&self.due, &self.rows) {
            // Rows that nobody asked for are no reason to say more of the matrix than is known.
            Conclusion::Verified if self.shard.is_none() && self.due != self.all => Conclusion::VerifiedInPart,
            verdict => verdict,
        };
        self.differences = differences(&self.rows);
    }

    /// The rows that are due and not there.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.due.iter().map(String::as_str).filter(|name| self.rows.iter().all(|row| row.row != *name))
    }
}

fn verdict(due: &[String], rows: &[RowReport]) -> Conclusion {
    let any = |verdict| rows.iter().any(|row| row.verdict == verdict);
    let there = |name: &String| rows.iter().any(|row| row.row == *name);
    if any(Conclusion::Refuted) {
        Conclusion::Refuted
    } else if any(Conclusion::NoVerdict) || due.is_empty() || !due.iter().all(there) {
        Conclusion::NoVerdict
    } else if any(Conclusion::VerifiedInPart) {
        Conclusion::VerifiedInPart
    } else {
        Conclusion::Verified
    }
}

/// Rows of the same image that are compared with the same must say the same.
fn differences(rows: &[RowReport]) -> Vec<Difference> {
    let mut by_image: BTreeMap<(&str, &str), Vec<&RowReport>> = BTreeMap::new();
    for row in rows {
        if let Some(image) = &row.image {
            by_image.entry((&image.digest, &row.expect)).or_default().push(row);
        }
    }
    let mut found = Vec::new();
    for ((image, _), rows) in by_image {
        let checks: std::collections::BTreeSet<_> = rows.iter().flat_map(|row| row.checks.keys()).collect();
        for check in checks {
            let mut ended: BTreeMap<Status, Vec<String>> = BTreeMap::new();
            for row in &rows {
                // Which scenarios a row plays is the matrix's to say, and no difference of the image; and what one is not asked
                // is for want of the hardware that it is asked on.
                let Some(status) = row.checks.get(check).filter(|status| **status != Status::Skip) else { continue };
                ended.entry(*status).or_default().push(row.row.clone());
            }
            if ended.len() > 1 {
                found.push(Difference { image: image.to_owned(), check: check.clone(), ended });
            }
        }
    }
    found
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use kverify_checks::Status;

    use super::{MatrixReport, RowReport};
    use crate::{
        image::Digest,
        report::{Conclusion, Subject},
    };

    /// A row of an image whose digest ends in `image`.
    pub(crate) fn row(name: &str, image: u8, checks: &[(&str, Status)]) -> RowReport {
        let any = |status| checks.iter().any(|(_, other)| *other == status);
        let verdict = match (any(Status::Fail), any(Status::Error)) {
            (true, _) => Conclusion::Refuted,
            (false, true) => Conclusion::NoVerdict,
            (false, false) => Conclusion::Verified,
        };
        let digest = Digest::of(&[image]).to_string();
        let image =
            Subject { name: "golden.qcow2".to_owned(), digest, bytes: 1, format: "qcow2".to_owned(), disk_bytes: 1 };
        RowReport {
            row: name.to_owned(),
            expect: "debian-13-server".to_owned(),
            image: Some(image),
            bus: "virtio".to_owned(),
            firmware: "uefi".to_owned(),
            memory_mib: 2048,
            cpus: 2,
            verdict,
            why: None,
            tries: Vec::new(),
            checks: checks.iter().map(|(check, status)| ((*check).to_owned(), *status)).collect(),
            started: Timestamp::UNIX_EPOCH,
            seconds: 61.2,
        }
    }

    pub(crate) fn report(due: &[&str], rows: Vec<RowReport>) -> MatrixReport {
        let due: Vec<_> = due.iter().map(|name| (*name).to_owned()).collect();
        let mut report = MatrixReport {
            kverify: "0.1.0".to_owned(),
            matrix: "smoke.toml".to_owned(),
            digest: Digest::of(b""),
            shard: None,
            all: due.clone(),
            due,
            rows,
            differences: Vec::new(),
            verdict: Conclusion::NoVerdict,
            started: Timestamp::UNIX_EPOCH,
            finished: Timestamp::UNIX_EPOCH,
        };
        report.conclude();
        report
    }

    #[test]
    fn only_all_rows_that_are_due_verify() {
        let good = |name| row(name, 1, &[("boot.ready", Status::Pass)]);
        let verdict = |due: &[&str], rows| report(due, rows).verdict;
        assert_eq!(verdict(&[], vec![]), Conclusion::NoVerdict);
        assert_eq!(verdict(&["a"], vec![good("a")]), Conclusion::Verified);
        assert_eq!(verdict(&["a", "b"], vec![good("a")]), Conclusion::NoVerdict);
        let failed = row("b", 1, &[("boot.ready", Status::Fail)]);
        let unknown = row("c", 1, &[("boot.ready", Status::Error)]);
        assert_eq!(verdict(&["a", "c"], vec![good("a"), unknown.clone()]), Conclusion::NoVerdict);
        assert_eq!(verdict(&["b", "c"], vec![failed, unknown]), Conclusion::Refuted);
        let part = RowReport { verdict: Conclusion::VerifiedInPart, ..good("a") };
        assert_eq!(verdict(&["a"], vec![part]), Conclusion::VerifiedInPart);
        assert_eq!(report(&["a", "b"], vec![good("b")]).missing().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn rows_of_one_image_that_disagree_are_named() {
        let rows = vec![
            row("a.sata", 1, &[("boot.ready", Status::Pass), ("zfs.pools-healthy", Status::Fail)]),
            row("a.scsi", 1, &[("boot.ready", Status::Pass), ("zfs.pools-healthy", Status::Pass)]),
            row("b", 2, &[("boot.ready", Status::Fail), ("scenario.reboot", Status::Pass)]),
        ];
        let report = report(&["a.scsi", "b", "a.sata"], rows);
        assert_eq!(report.rows.iter().map(|row| &*row.row).collect::<Vec<_>>(), ["a.scsi", "b", "a.sata"]);
        let [difference] = &report.differences[..] else { panic!("{:?}", report.differences) };
        assert_eq!(difference.check, "zfs.pools-healthy");
        let ended = [(Status::Fail, "a.sata"), (Status::Pass, "a.scsi")];
        let ended = ended.map(|(status, row)| (status, vec![row.to_owned()]));
        assert_eq!(difference.ended, BTreeMap::from(ended));
    }
}
