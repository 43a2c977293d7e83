//! Whether everything that the tables of a qcow2 file point at lies inside the file.
//!
//! Truncation shows only here: the header and its tables stand at the beginning, what was cut off at the end.

use std::{fs::File, os::unix::fs::FileExt};

use super::{
    super::{Refusal, Trouble},
    Header, SECTOR, words,
};

/// Bits 9 to 55 of an entry: where in the file a table or a cluster is.
pub(super) const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;

/// Entry of an L2 table: the cluster is compressed.
pub(super) const COMPRESSED: u64 = 1 << 62;

/// How much of a table is read at once.
const STEP: usize = 1 << 20;

/// Walks the L1 table, each L2 table once, the refcount table and the snapshot table.
///
/// Reads no more than the file's size in all, whatever the tables say.
pub(in crate::image) fn bounds(file: &File, header: &Header, bytes: u64) -> Result<(), Trouble> {
    let bounds = Bounds { file, header, bytes };
    let l2_tables = bounds.pointers("an L2 table", header.l1_offset, header.l1_entries * 8)?;
    for at in l2_tables {
        bounds.clusters(at)?;
    }
    bounds.pointers("a refcount block", header.refcount_offset, header.refcount_bytes)?;
    bounds.snapshots()
}

struct Bounds<'a> {
    file: &'a File,
    header: &'a Header,
    bytes: u64,
}

impl Bounds<'_> {
    /// The distinct clusters that the table at `at` points to, each held to be inside the file as a whole.
    fn pointers(&self, what: &'static str, at: u64, bytes: u64) -> Result<Vec<u64>, Trouble> {
        let mut found = Vec::new();
        self.each(at, bytes, |entry| {
            let at = entry & OFFSET;
            if at != 0 {
                self.aligned(what, at)?;
                self.inside(what, at + self.header.cluster())?;
                found.push(at);
            }
            Ok(())
        })?;
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Holds every cluster that the L2 table at `at` maps against the end of the file.
    fn clusters(&self, at: u64) -> Result<(), Trouble> {
        let mut second_half = false;
        self.each(at, self.header.cluster(), |entry| {
            // Entries of extended tables are pairs; the second word is a bitmap.
            let bitmap = second_half;
            second_half = self.header.extended_l2 && !bitmap;
            if bitmap {
                return Ok(());
            }
            if entry & COMPRESSED != 0 {
                let (start, bytes) = compressed(entry, self.header.cluster_bits);
                // The last sector counted may be partly written.
                return self.inside("a compressed cluster", (start + bytes).saturating_sub(SECTOR - 1));
            }
            let start = entry & OFFSET;
            if start != 0 {
                self.aligned("a cluster", start)?;
                // The last cluster of a file may be partly written.
                self.inside("a cluster", start + 1)?;
            }
            Ok(())
        })
    }

    fn snapshots(&self) -> Result<(), Trouble> {
        let mut at = self.header.snapshots_offset;
        for _ in 0..self.header.snapshots {
            self.inside("the snapshot table", at.saturating_add(40))?;
            let mut fixed = [0; 40];
            self.file.read_exact_at(&mut fixed, at)?;
            let long =
                |from: usize| fixed[from..].first_chunk().map_or(0, |bytes| u64::from(u32::from_be_bytes(*bytes)));
            let short =
                |from: usize| fixed[from..].first_chunk().map_or(0, |bytes| u64::from(u16::from_be_bytes(*bytes)));
            let l1_at = fixed.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
            self.aligned("the L1 table of a snapshot", l1_at)?;
            self.inside("the L1 table of a snapshot", l1_at.saturating_add(long(8) * 8))?;
            at = at.saturating_add((40 + long(36) + short(12) + short(14)).next_multiple_of(8));
        }
        Ok(())
    }

    fn each(&self, at: u64, bytes: u64, mut entry: impl FnMut(u64) -> Result<(), Refusal>) -> Result<(), Trouble> {
        let mut buffer = vec![0; usize::try_from(bytes).unwrap_or(STEP).min(STEP)];
        let mut done = 0;
        while done < bytes {
            let step = usize::try_from(bytes - done).unwrap_or(STEP).min(STEP);
            self.file.read_exact_at(&mut buffer[..step], at + done)?;
            for word in words(&buffer[..step]) {
                entry(word)?;
            }
            done += step as u64;
        }
        Ok(())
    }

    fn aligned(&self, what: &str, at: u64) -> Result<(), Refusal> {
        if at.is_multiple_of(self.header.cluster()) {
            return Ok(());
        }
        Err(Refusal::Malformed(format!("{what} begins inside a cluster, at byte {at}")))
    }

    fn inside(&self, what: &'static str, end: u64) -> Result<(), Refusal> {
        if end <= self.bytes {
            return Ok(());
        }
        Err(Refusal::Truncated { what, end, bytes: self.bytes })
    }
}

/// First byte and greatest size of the compressed data that an entry of an L2 table points to.
pub(super) fn compressed(entry: u64, cluster_bits: u32) -> (u64, u64) {
    let split = 62 - (cluster_bits - 8);
    let start = entry & ((1 << split) - 1);
    let sectors = ((entry & (COMPRESSED - 1)) >> split) + 1;
    (start, sectors * SECTOR - start % SECTOR)
}
