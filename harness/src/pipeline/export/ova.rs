//! An OVA: descriptor, manifest and disk in one archive, in this order.
//!
//! After DSP0243, section "Distribution as a single file": POSIX ustar, the OVF first, then the manifest, then the files
//! in the order in which the OVF refers to them. The `tar` crate, quick-xml and our reader of VMDK read it back.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::FileExt,
    sync::atomic::AtomicBool,
};

use tar::{Archive, EntryType};

use super::{
    compare::{equal, go_on, step},
    flaw::Flaw,
    hash::digest_of,
    ovf, tape,
    vmdk::Vmdk,
    vmdk_text,
};
use crate::image::{Digest, Disk};

/// The largest descriptor or manifest that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// The disk that goes into an archive: a stream-optimized VMDK.
pub(super) struct Part<'a> {
    /// Its file.
    pub(super) file: &'a File,
    /// The file's size, in bytes.
    pub(super) bytes: u64,
    /// The file's digest.
    pub(super) digest: Digest,
    /// Size of the disk inside, in bytes.
    pub(super) disk_bytes: u64,
}

/// Writes the archive of a machine that is called `stem`.
///
/// # Errors
/// What the system says, or [`Flaw::Cancelled`].
pub(super) fn write(stem: &str, disk: &Part<'_>, to: &File, cancel: &AtomicBool) -> Result<(), Flaw> {
    let names = names(stem);
    let described =
        ovf::Described { machine: stem, file: &names[2], file_bytes: disk.bytes, disk_bytes: disk.disk_bytes };
    let descriptor = ovf::text(&described).into_bytes();
    let manifest = manifest(&[(&names[0], Digest::of(&descriptor)), (&names[2], disk.digest)]).into_bytes();
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        let put = to.write_all_at(bytes, at);
        at += bytes.len() as u64;
        put
    };
    for (name, content) in names.iter().zip([descriptor, manifest]) {
        put(&tape::plain(name, content.len() as u64)?)?;
        put(&content)?;
        put(&vec![0; tape::padding(content.len() as u64)])?;
    }
    put(&tape::plain(&names[2], disk.bytes)?)?;
    let mut buffer = vec![0; step(u64::MAX)];
    let mut done = 0;
    while done < disk.bytes {
        go_on(cancel)?;
        let part = &mut buffer[..step(disk.bytes - done)];
        disk.file.read_exact_at(part, done)?;
        put(part)?;
        done += part.len() as u64;
    }
    put(&vec![0; tape::padding(disk.bytes)])?;
    Ok(put(&tape::END)?)
}

/// Reads the archive back: its members, their digests, what the descriptor declares, and the disk, which is held against
/// the image's.
///
/// # Errors
/// [`Flaw`] says what is wrong with it.
pub(super) fn prove(source: &mut Disk<'_>, stem: &str, file: &File, cancel: &AtomicBool) -> Result<(), Flaw> {
    let names = names(stem);
    let mut cursor = file;
    cursor.seek(SeekFrom::Start(0))?;
    let mut archive = Archive::new(cursor);
    let mut members = Vec::new();
    for entry in archive.entries_with_seek()? {
        let mut entry = entry?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if entry.header().as_ustar().is_none() || entry.header().entry_type() != EntryType::Regular {
            return Err(Flaw::metadata(format!("its member {} is no plain file of ustar", name.escape_debug())));
        }
        let (at, bytes) = (entry.raw_file_position(), entry.size());
        let mut text = Vec::new();
        if members.len() < 2 {
            io::copy(&mut entry.by_ref().take(LARGEST), &mut text)?;
        }
        members.push((name, at, bytes, text));
    }
    let found: Vec<_> = members.iter().map(|(name, ..)| name.escape_debug().to_string()).collect();
    let [(_, _, _, descriptor), (_, _, _, manifest), (_, at, bytes, _)] = &members[..] else {
        return Err(Flaw::metadata(format!("it holds {}; wanted are {}", found.join(", "), names.join(", "))));
    };
    if found != names {
        return Err(Flaw::metadata(format!("it holds {}; wanted are {}", found.join(", "), names.join(", "))));
    }
    let digest = digest_of(file, *at, *bytes, cancel)?;
    declared(manifest, &[(&names[0], Digest::of(descriptor)), (&names[2], digest)])?;
    let described = ovf::Described { machine: stem, file: &names[2], file_bytes: *bytes, disk_bytes: source.bytes() };
    ovf::prove(descriptor, &described)?;
    let mut vmdk = Vmdk::open(file, *at, *bytes)?;
    vmdk_text::prove(&vmdk, &names[2])?;
    let want = source.bytes();
    equal(source, &mut vmdk, want, cancel)
}

/// The members in their order.
fn names(stem: &str) -> [String; 3] {
    [format!("{stem}.ovf"), format!("{stem}.mf"), format!("{stem}.vmdk")]
}

fn manifest(files: &[(&String, Digest)]) -> String {
    files.iter().fold(String::new(), |text, (name, digest)| format!("{text}SHA256({name})= {}\n", digest.hex()))
}

/// Holds a manifest against the digests of what lies beside it.
fn declared(manifest: &[u8], files: &[(&String, Digest)]) -> Result<(), Flaw> {
    let text = std::str::from_utf8(manifest).map_err(|_| Flaw::metadata("its manifest is no text"))?;
    let lines: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("SHA256(")?.split_once(")= ")).collect();
    if lines.len() != files.len() || text.lines().count() != files.len() {
        return Err(Flaw::metadata(format!(
            "its manifest has {} lines, not one for each of {}",
            text.lines().count(),
            files.len()
        )));
    }
    for (name, digest) in files {
        match lines.iter().find(|(of, _)| of == name) {
            Some((_, says)) if *says == digest.hex() => {}
            Some((_, says)) => {
                let says = says.escape_debug();
                return Err(Flaw::metadata(format!("its manifest says {name} is {says}, and it is {}", digest.hex())));
            }
            None => return Err(Flaw::metadata(format!("its manifest does not name {name}"))),
        }
    }
    Ok(())
}
