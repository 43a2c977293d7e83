//! Formats that are recognised in order to be refused by name, with the command that converts them.

/// A file of another kind than a golden image may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// What it is, with its article.
    pub what: &'static str,
    /// How it becomes something that can be verified.
    pub way: Way,
}

/// What to do with a file of another format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `qemu-img convert` reads it by this driver.
    Convert(&'static str),
    /// This command unpacks it; the file's name follows.
    Unpack(&'static str),
    /// It is not a disk of a machine: what to do instead.
    Instead(&'static str),
}

/// Bytes, where they stand, and what they mean.
type Magic = (usize, &'static [u8], Foreign);

const fn convert(what: &'static str, driver: &'static str) -> Foreign {
    Foreign { what, way: Way::Convert(driver) }
}

const fn unpack(what: &'static str, command: &'static str) -> Foreign {
    Foreign { what, way: Way::Unpack(command) }
}

const ISO: Foreign = Foreign {
    what: "an ISO 9660 medium, not an installed disk",
    way: Way::Instead("an installer's medium goes to `kverify build`"),
};

const LUKS: Foreign =
    Foreign { what: "a LUKS-encrypted disk", way: Way::Instead("decrypt it into a file that kverify may read") };

const HEADS: &[Magic] = &[
    (0, b"QFI\xfb\0\0\0\x01", convert("a qcow disk of version 1", "qcow")),
    (0, b"KDMV", convert("a VMDK disk", "vmdk")),
    (0, b"COWD", convert("a VMDK disk", "vmdk")),
    (0, b"# Disk DescriptorFile", convert("the descriptor of a VMDK disk", "vmdk")),
    (0, b"vhdxfile", convert("a VHDX disk", "vhdx")),
    (0, b"conectix", convert("a VHD disk", "vpc")),
    (0x40, b"\x7f\x10\xda\xbe", convert("a VDI disk", "vdi")),
    (0, b"QED\0", convert("a QED disk", "qed")),
    (0, b"WithoutFreeSpace", convert("a Parallels disk", "parallels")),
    (0, b"WithouFreSpacExt", convert("a Parallels disk", "parallels")),
    (0, b"LUKS\xba\xbe", LUKS),
    (0x8001, b"CD001", ISO),
    (0, b"\x1f\x8b", unpack("a gzip file", "gunzip -k")),
    (0, b"\xfd7zXZ\0", unpack("an xz file", "unxz -k")),
    (0, b"\x28\xb5\x2f\xfd", unpack("a zstd file", "unzstd -k")),
    (0, b"BZh", unpack("a bzip2 file", "bunzip2 -k")),
    (0, b"PK\x03\x04", unpack("a ZIP archive", "unzip")),
    (257, b"ustar", unpack("a tar archive (an OVA is one)", "tar -xf")),
];

/// In the last 512 bytes: a fixed VHD looks like a raw disk from its beginning.
const TAILS: &[Magic] = &[(0, b"conectix", convert("a VHD disk", "vpc")), (0, b"koly", convert("a DMG disk", "dmg"))];

impl Foreign {
    /// What `head`, the first bytes of a file, and `tail`, its last sector, say it is; `None` for qcow2, raw and unknown.
    pub(super) fn recognise(head: &[u8], tail: &[u8; 512]) -> Option<Self> {
        let find = |bytes: &[u8], table: &[Magic]| {
            table
                .iter()
                .find(|(at, magic, _)| bytes.get(*at..).is_some_and(|rest| rest.starts_with(magic)))
                .map(|(_, _, foreign)| *foreign)
        };
        find(head, HEADS).or_else(|| find(tail, TAILS))
    }
}
