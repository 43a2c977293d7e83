//! A qcow2 file, read back: by imago, which shares no line with QEMU and none with [`Image`](crate::image::Image). It
//! knows no Zstandard: such files are read by our own reader, which has nothing in common with QEMU either.

use std::{fs::File, io};

use imago::{DenyImplicitOpenGate, FormatAccess, FormatDriverBuilder, Mapping, file::File as Storage, qcow2::Qcow2};

use super::{compare::Content, flaw::Flaw};
use crate::image::Run;

/// The disk in a qcow2 file that stands alone.
pub(super) struct Imago {
    access: FormatAccess<Storage>,
}

impl Imago {
    /// Opens it for reading; what it might refer to is not opened.
    ///
    /// # Errors
    /// What imago says.
    pub(super) fn open(file: &File) -> Result<Self, Flaw> {
        let storage = Storage::try_from(file.try_clone()?)?;
        let qcow2 = Qcow2::<Storage>::builder(storage).open(DenyImplicitOpenGate::default())?;
        Ok(Self { access: FormatAccess::new(qcow2) })
    }
}

impl Content for Imago {
    fn bytes(&self) -> u64 {
        self.access.size()
    }

    fn run(&mut self, at: u64) -> io::Result<Run> {
        let (mapping, bytes) = self.access.get_mapping(at, self.access.size() - at)?;
        if bytes == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("imago: nothing is at byte {at}")));
        }
        Ok(Run { bytes, hole: matches!(mapping, Mapping::Zero { .. }) })
    }

    fn read_at(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.access.read(buffer, at)
    }
}
