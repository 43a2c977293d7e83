//! What the disk inside an image holds, found by our own reading, without mounting and without a ZFS module.
//!
//! Whoever made the image wrote every byte of it, so each reader here has bounds on how much it reads and keeps.

mod esp;
mod fat;
mod gpt;
mod label;
mod medium;
mod nvlist;
mod volume;

use std::io;

use kverify_checks::image::Layout;

use super::Image;
pub use medium::{Medium, MediumError};
use volume::Volume;

impl Image {
    /// Partitions, EFI system partition and ZFS labels of the disk.
    ///
    /// What is missing or broken on the disk is told in the answer.
    ///
    /// # Errors
    /// What the system says if the file cannot be read, or that its format says something impossible.
    pub fn layout(&self) -> io::Result<Layout> {
        let mut disk = self.disk()?;
        let mut layout = Layout { disk_bytes: disk.bytes(), ..Layout::default() };
        let table = gpt::read(&mut disk)?;
        layout.gpt_problems = table.problems;
        layout.gpt = table.partitions;
        let partitions = layout.gpt.as_deref().unwrap_or_default();
        if let Some(partition) = partitions.iter().find(|partition| partition.type_guid == gpt::ESP) {
            let mut volume = Volume::new(&mut disk, partition.start, partition.bytes);
            layout.esp = Some(esp::read(&mut volume, partition.number)?);
        }
        let whole = (0, 0, layout.disk_bytes);
        let parts = partitions.iter().map(|partition| (partition.number, partition.start, partition.bytes));
        for (number, start, bytes) in std::iter::once(whole).chain(parts) {
            let label = label::read(&mut Volume::new(&mut disk, start, bytes), number)?;
            layout.labels.extend(label);
        }
        Ok(layout)
    }
}

/// Splits what the disk says wrongly, which is an answer, from what could not be read, which is none.
fn readable<T>(read: io::Result<T>) -> io::Result<Result<T, String>> {
    match read {
        Ok(value) => Ok(Ok(value)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
