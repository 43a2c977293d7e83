//! The EFI system partition: its files, and for which machine its fallback loader is.

use std::io;

use kverify_checks::image::Esp;

use super::{
    fat::{Entry, Fat, FatError},
    volume::Volume,
};

/// Where firmware looks without being told, and no more than one of them is looked for per image.
const FALLBACKS: &[&str] = &["EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/BOOTAA64.EFI", "EFI/BOOT/BOOTRISCV64.EFI"];

/// Machine types of the PE format, by the names that the checks use.
const MACHINES: &[(u16, &str)] = &[
    (0x8664, "x86-64"),
    (0xaa64, "arm64"),
    (0x5064, "riscv64"),
    (0x014c, "x86"),
    (0x01c2, "arm"),
    (0x6264, "loongarch64"),
];

/// How far into a file its PE header may begin.
const MAX_STUB_BYTES: u32 = 64 << 10;

/// What the partition of that number holds.
pub(super) fn read(volume: &mut Volume<'_, '_>, partition: u32) -> io::Result<Esp> {
    let mut esp = Esp { partition, ..Esp::default() };
    match fill(volume, &mut esp) {
        Ok(()) => {}
        Err(FatError::Malformed(why)) => esp.unreadable = Some(why),
        Err(FatError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            esp.unreadable = Some(error.to_string());
        }
        Err(FatError::Io(error)) => return Err(error),
    }
    Ok(esp)
}

fn fill(volume: &mut Volume<'_, '_>, esp: &mut Esp) -> Result<(), FatError> {
    let mut fat = Fat::open(volume)?;
    let mut files = fat.files()?;
    files.sort_by(|one, other| one.path.cmp(&other.path));
    esp.files = files.iter().map(|file| (file.path.clone(), u64::from(file.bytes))).collect();
    let fallback = FALLBACKS.iter().find_map(|path| files.iter().find(|file| file.path.eq_ignore_ascii_case(path)));
    if let Some(file) = fallback {
        esp.fallback_machine = machine(&mut fat, file)?;
    }
    Ok(())
}

/// The machine type of a PE file.
fn machine(fat: &mut Fat<'_, '_, '_>, file: &Entry) -> Result<Option<String>, FatError> {
    let Some(stub) = fat.start_of::<64>(file, 0)? else { return Ok(None) };
    let at = stub[60..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    if !stub.starts_with(b"MZ") || at > MAX_STUB_BYTES {
        return Ok(None);
    }
    let Some([b'P', b'E', 0, 0, low, high]) = fat.start_of::<6>(file, at)? else { return Ok(None) };
    let number = u16::from_le_bytes([low, high]);
    let known = MACHINES.iter().find(|(known, _)| *known == number);
    Ok(Some(known.map_or_else(|| format!("{number:#06x}"), |(_, name)| (*name).to_owned())))
}
