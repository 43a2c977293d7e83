//! The descriptor of an OVA: the machine that the disk belongs to, which boots by EFI.
//!
//! After DMTF's DSP0243, "Open Virtualization Format Specification", version 1.1, which every importer knows; the firmware
//! is VMware's extension `vmw:Config`. It is written from a text and read back by quick-xml.

use quick_xml::{
    NsReader, XmlVersion,
    events::{BytesStart, Event},
    name::{Namespace, ResolveResult},
};

use super::flaw::Flaw;

/// The descriptor, with places for what differs. The disk is on a SATA bus and the adapter an E1000: every hypervisor that
/// reads OVF has both, and every distribution drives them.
const TEXT: &str = include_str!("descriptor.ovf");
const OVF: Namespace<'_> = Namespace(b"http://schemas.dmtf.org/ovf/envelope/1");
const VMW: Namespace<'_> = Namespace(b"http://www.vmware.com/schema/ovf");
const RASD: Namespace<'_> =
    Namespace(b"http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData");
/// The format of the disk, as descriptors name it.
const STREAM: &str = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized";

/// What a descriptor says of its disk.
pub(super) struct Described<'a> {
    /// The name of the machine.
    pub(super) machine: &'a str,
    /// The name of the disk's file.
    pub(super) file: &'a str,
    /// Size of that file, in bytes.
    pub(super) file_bytes: u64,
    /// Size of the disk, in bytes.
    pub(super) disk_bytes: u64,
}

/// The text of a descriptor. Names have to be free of what means something in XML or in an address.
pub(super) fn text(disk: &Described<'_>) -> String {
    TEXT.replace("@NAME@", disk.machine)
        .replace("@DISK@", disk.file)
        .replace("@FILE_BYTES@", &disk.file_bytes.to_string())
        .replace("@DISK_BYTES@", &disk.disk_bytes.to_string())
}

/// What was read of a descriptor.
#[derive(Debug, Default)]
struct Read {
    files: Vec<Vec<(String, String)>>,
    disks: Vec<Vec<(String, String)>>,
    systems: usize,
    /// `key` and `value` of each `vmw:Config`.
    config: Vec<(String, String)>,
    /// What items of the hardware are backed by.
    resources: Vec<String>,
}

/// Holds a descriptor against the disk that it is for.
///
/// # Errors
/// [`Flaw`] names what it says wrong, or does not say.
pub(super) fn prove(text: &[u8], disk: &Described<'_>) -> Result<(), Flaw> {
    let wrong = |what: String| Err(Flaw::metadata(format!("its OVF {what}")));
    let text = std::str::from_utf8(text).map_err(|_| Flaw::metadata("its OVF is no text"))?;
    let read = read(text).map_err(|why| Flaw::metadata(format!("its OVF cannot be read: {why}")))?;
    let ([file], [held], 1) = (&read.files[..], &read.disks[..], read.systems) else {
        let counts = (read.files.len(), read.disks.len(), read.systems);
        return wrong(format!("has {} files, {} disks and {} machines, not one of each", counts.0, counts.1, counts.2));
    };
    let of = |held: &[(String, String)], key: &str| {
        held.iter().find(|(name, _)| name == key).map_or_else(String::new, |(_, value)| value.clone())
    };
    let wanted = [
        ("href", of(file, "href"), disk.file.to_owned()),
        ("size", of(file, "size"), disk.file_bytes.to_string()),
        ("fileRef", of(held, "fileRef"), of(file, "id")),
        ("capacity", of(held, "capacity"), disk.disk_bytes.to_string()),
        ("capacityAllocationUnits", of(held, "capacityAllocationUnits"), "byte".to_owned()),
        ("format", of(held, "format"), STREAM.to_owned()),
    ];
    if let Some((what, got, want)) = wanted.iter().find(|(_, got, want)| got != want || got.is_empty()) {
        return wrong(format!("says {what} `{}`, and `{want}` is wanted", got.escape_debug()));
    }
    let resource = format!("ovf:/disk/{}", of(held, "diskId"));
    if read.resources != [resource.as_str()] {
        return wrong(format!("attaches {:?} to its machine, not {resource}", read.resources));
    }
    match read.config.iter().find(|(key, _)| key == "firmware").map(|(_, value)| value.as_str()) {
        Some("efi") => Ok(()),
        Some(other) => wrong(format!("declares the firmware `{}`, and the image boots by efi", other.escape_debug())),
        None => {
            wrong("declares no firmware: the machine would start with a BIOS, and the image boots by efi".to_owned())
        }
    }
}

fn read(text: &str) -> Result<Read, String> {
    let mut reader = NsReader::from_str(text);
    reader.config_mut().trim_text(true);
    let mut read = Read::default();
    let (mut depth, mut in_resource) = (0_usize, false);
    loop {
        let (namespace, event) = reader.read_resolved_event().map_err(|error| error.to_string())?;
        let bound = match namespace {
            ResolveResult::Bound(namespace) => Some(namespace),
            _ => None,
        };
        let (start, empty) = match &event {
            Event::Start(start) => (Some(start), false),
            Event::Empty(start) => (Some(start), true),
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                in_resource = false;
                continue;
            }
            Event::Text(text) if in_resource => {
                read.resources.push(text.decode().map_err(|error| error.to_string())?.into_owned());
                continue;
            }
            Event::DocType(_) => return Err("it has a document type, which may refer to other files".to_owned()),
            Event::Eof if depth == 0 => return Ok(read),
            Event::Eof => return Err("it ends in the middle".to_owned()),
            _ => continue,
        };
        let Some(start) = start else { continue };
        depth += usize::from(!empty);
        let name = start.local_name();
        match (bound, name.as_ref()) {
            (Some(OVF), b"File") => read.files.push(attributes(&reader, start, OVF)?),
            (Some(OVF), b"Disk") => read.disks.push(attributes(&reader, start, OVF)?),
            (Some(OVF), b"VirtualSystem") => read.systems += 1,
            (Some(VMW), b"Config") => {
                let mut held = attributes(&reader, start, VMW)?.into_iter();
                let mut of = |key: &str| held.find(|(name, _)| name == key).map(|(_, value)| value);
                read.config.extend(of("key").zip(of("value")));
            }
            (Some(RASD), b"HostResource") => in_resource = !empty,
            _ => {}
        }
    }
}

/// The attributes of an element that are in a namespace.
fn attributes(
    reader: &NsReader<&[u8]>,
    start: &BytesStart<'_>,
    wanted: Namespace<'_>,
) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let (namespace, name) = reader.resolver().resolve_attribute(attribute.key);
        if namespace == ResolveResult::Bound(wanted) {
            let value = attribute.normalized_value(XmlVersion::Explicit1_0).map_err(|error| error.to_string())?;
            found.push((String::from_utf8_lossy(name.as_ref()).into_owned(), value.into_owned()));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{Described, prove, text};

    const DISK: Described<'_> =
        Described { machine: "golden", file: "golden.vmdk", file_bytes: 123, disk_bytes: 10 << 30 };

    fn refusal(from: &str, to: &str) -> String {
        let whole = text(&DISK);
        let changed = whole.replace(from, to);
        assert_ne!(whole, changed, "{from}");
        prove(changed.as_bytes(), &DISK).unwrap_err().to_string()
    }

    #[test]
    fn what_is_written_is_read_back() {
        prove(text(&DISK).as_bytes(), &DISK).unwrap();
        assert!(!text(&DISK).contains('@'));
    }

    #[test]
    fn a_forgotten_firmware_and_a_bios_are_noticed() {
        let line = "<vmw:Config ovf:required=\"false\" vmw:key=\"firmware\" vmw:value=\"efi\"/>";
        let none = "its OVF declares no firmware: the machine would start with a BIOS, and the image boots by efi";
        assert_eq!(refusal(line, ""), none);
        // A prefix means what it is bound to, and nothing by itself.
        assert_eq!(refusal("xmlns:vmw=\"http://www.vmware.com/schema/ovf\"", "xmlns:vmw=\"http://other\""), none);
        assert_eq!(
            refusal("vmw:value=\"efi\"", "vmw:value=\"bios\""),
            "its OVF declares the firmware `bios`, and the image boots by efi"
        );
    }

    #[test]
    fn sizes_names_and_references_that_do_not_fit_are_noticed() {
        assert_eq!(
            refusal("capacity=\"10737418240\"", "capacity=\"10737417728\""),
            "its OVF says capacity `10737417728`, and `10737418240` is wanted"
        );
        assert_eq!(refusal("size=\"123\"", "size=\"122\""), "its OVF says size `122`, and `123` is wanted");
        assert_eq!(refusal("golden.vmdk", "disk.vmdk"), "its OVF says href `disk.vmdk`, and `golden.vmdk` is wanted");
        assert_eq!(refusal("fileRef=\"file1\"", "fileRef=\"x\""), "its OVF says fileRef `x`, and `file1` is wanted");
        assert_eq!(
            refusal("#streamOptimized", "#sparse").split('`').nth(1).unwrap().rsplit('#').next(),
            Some("sparse")
        );
        assert!(refusal("ovf:/disk/disk1", "ovf:/disk/disk2").contains("not ovf:/disk/disk1"));
        assert!(refusal("</VirtualSystem>", "</VirtualSystem><VirtualSystem/>").contains("2 machines"));
    }

    #[test]
    fn what_is_no_descriptor_is_no_panic() {
        assert!(refusal("</Envelope>", "").starts_with("its OVF cannot be read: it ends in the middle"));
        assert!(refusal("</References>", "").starts_with("its OVF cannot be read: "));
        assert!(refusal("<Envelope", "<!DOCTYPE a SYSTEM \"b\"><Envelope").contains("document type"));
        assert_eq!(prove(&[0xff], &DISK).unwrap_err().to_string(), "its OVF is no text");
        assert!(prove(b"", &DISK).unwrap_err().to_string().contains("0 files"));
    }
}
