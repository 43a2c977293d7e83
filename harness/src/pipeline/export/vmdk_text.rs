//! The text inside a VMDK that describes its disk: `createType`, and the file that the disk is in.
//!
//! QEMU writes there the name of the file that it was given, which is none yet; the final one is put in its place.

use std::{fs::File, io, os::unix::fs::FileExt};

use super::{
    compare::Content as _,
    flaw::{Flaw, malformed},
    vmdk::Vmdk,
};

const SECTOR: u64 = 512;

/// Puts the final name of the file in the place of that which QEMU was given.
///
/// # Errors
/// `InvalidData` where the text has no such place, or what the system says.
pub(super) fn rename(file: &File, name: &str) -> io::Result<()> {
    let vmdk = Vmdk::open(file, 0, file.metadata()?.len())?;
    let (text, (at, room)) = (vmdk.descriptor()?, vmdk.descriptor_place());
    let (line, _) = extent(&text).ok_or_else(|| malformed("vmdk", "a descriptor that names no file"))?;
    let (before, _) = line.split_once('"').unwrap_or((line, ""));
    let mut bytes = text.replace(line, &format!("{before}\"{name}\"")).into_bytes();
    if bytes.len() > room {
        return Err(malformed("vmdk", format!("a descriptor of {} bytes, and room for {room}", bytes.len())));
    }
    bytes.resize(room, 0);
    file.write_all_at(&bytes, at)
}

/// Holds the text against the disk, and the name that its file has.
///
/// # Errors
/// [`Flaw`] says what the text has wrong.
pub(super) fn prove(vmdk: &Vmdk<'_>, name: &str) -> Result<(), Flaw> {
    let text = vmdk.descriptor()?;
    let says = |line: &str| text.lines().any(|one| one.trim() == line);
    if !says("createType=\"streamOptimized\"") {
        return Err(Flaw::metadata("its descriptor does not say that it is stream-optimized"));
    }
    if !says("parentCID=ffffffff") {
        return Err(Flaw::metadata("its descriptor says that it is a difference to another disk"));
    }
    let want = format!("RW {} SPARSE \"{name}\"", vmdk.bytes() / SECTOR);
    match extent(&text) {
        Some((line, 1)) if line.trim() == want => Ok(()),
        Some((line, _)) => {
            let line = line.replace(char::is_control, "?");
            Err(Flaw::metadata(format!("its descriptor says `{line}`, and `{want}` is wanted")))
        }
        None => Err(Flaw::metadata("its descriptor names no file")),
    }
}

/// The first line that names a file, and how many there are.
fn extent(text: &str) -> Option<(&str, usize)> {
    let lines = || text.lines().filter(|line| line.starts_with("RW ") || line.starts_with("RDONLY "));
    Some((lines().next()?, lines().count()))
}
