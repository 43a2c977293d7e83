//! How much of the devices of pools is not zero: what a pool has allocated, and what it has not and still holds.

use std::io;

use kverify_checks::seal::{Content, PartContent};

use super::Image;

/// The blocks that are counted, in bytes: no pool allocates less on today's devices.
const BLOCK: usize = 4096;
const ZEROS: [u8; BLOCK] = [0; BLOCK];
/// How much is read at once.
const STEP: u64 = 1 << 20;
/// Two labels and the boot area before what is allocated, and two labels behind it.
const BEFORE: u64 = 4 << 20;
const BEHIND: u64 = 512 << 10;
/// A device is as long as the labels on it say: whole labels.
const LABEL: u64 = 256 << 10;

impl Image {
    /// What is not zero of each device that has a ZFS label. Reads all of the disk.
    ///
    /// # Errors
    /// What the system says, or `InvalidData` where the file's own tables are wrong.
    pub(super) fn content(&self) -> io::Result<Content> {
        let layout = self.layout()?;
        let mut disk = self.disk()?;
        let mut buffer = vec![0; usize::try_from(STEP).unwrap_or_default()];
        let mut content = Content::default();
        for label in &layout.labels {
            let partition = layout.gpt.iter().flatten().find(|partition| partition.number == label.partition);
            let (start, bytes) = match (partition, label.partition) {
                (Some(partition), _) => (partition.start, partition.bytes),
                (None, 0) => (0, layout.disk_bytes),
                (None, _) => continue,
            };
            let end = start + (bytes / LABEL * LABEL).saturating_sub(BEHIND);
            let mut at = start + BEFORE;
            let mut count = 0;
            while at < end {
                let part = &mut buffer[..usize::try_from(STEP.min(end - at)).unwrap_or_default()];
                disk.read_at(at, part)?;
                count += part.chunks(BLOCK).filter(|block| **block != ZEROS[..block.len()]).count() as u64;
                at += part.len() as u64;
            }
            let pool = label.pool.clone();
            content.0.push(PartContent { partition: label.partition, pool, bytes: count * BLOCK as u64 });
        }
        Ok(content)
    }
}
