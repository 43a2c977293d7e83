//! The host id: ZFS refuses at boot a pool that was last in use under another one.

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    image::{Label, Layout},
    outcome::Verdict,
    probe::{Exit, ImageAspect, Output, Probe},
};

/// The host ids that have to agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostIds {
    /// Of `/etc/hostid`; nothing where there is no such file.
    pub file: Option<u64>,
    /// Of the module's parameter; 0 means that it reads the file.
    pub module: u64,
    /// The labels in the image file, as they were before this boot.
    pub labels: Vec<Label>,
}

impl Fact for HostIds {
    const ID: &'static str = "zfs.hostids";

    fn probes() -> Vec<Probe> {
        vec![
            Probe::root(["od", "-An", "-v", "-tx1", "/etc/hostid"]),
            Probe::file("/sys/module/spl/parameters/spl_hostid"),
            Probe::image(ImageAspect::Layout),
        ]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let module = out[1].ok()?.trim();
        let module = module.parse().map_err(|_| Unreadable::new(format!("spl_hostid is no number: {module}")))?;
        Ok(Self { file: dumped(&out[0])?, module, labels: Layout::parse(&out[2..])?.labels })
    }
}

/// Four bytes, the lowest first, as `od -tx1` prints them; nothing where the file is missing.
pub(super) fn dumped(out: &Output) -> Result<Option<u64>, Unreadable> {
    if out.exit == Exit::Code(1) && out.stderr.trim_end().ends_with("/etc/hostid: No such file or directory") {
        return Ok(None);
    }
    let text = out.ok()?;
    let bytes: Result<Vec<_>, _> = text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16)).collect();
    match bytes.ok().and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()) {
        Some(bytes) => Ok(Some(u64::from(u32::from_le_bytes(bytes)))),
        None => Err(Unreadable::new(format!("a host id is four bytes, not: {}", text.trim()))),
    }
}

/// The file, the module and the labels of the pool have one host id.
pub struct HostIdAgrees;

impl Check for HostIdAgrees {
    type Fact = HostIds;
    type Want = String;

    fn about(&self) -> &About {
        &About {
            id: "zfs.hostid-agrees",
            demand: "the module has the host id of /etc/hostid, and so has the pool's label, unless the pool is exported",
            remedy: "export the pool when the image is sealed, and write /etc/hostid before the initramfs is made",
            key: "zfs.hostid_agrees",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<String> {
        image.zfs.pool.clone().filter(|_| image.zfs.hostid_agrees == Some(true))
    }

    fn judge(&self, got: &HostIds, want: &String) -> Verdict {
        let file = got.file.unwrap_or(0);
        let mut said = vec![got.file.map_or("no /etc/hostid".to_owned(), |id| format!("/etc/hostid {id:08x}"))];
        let mut holds = got.module == 0 || got.module == file;
        if got.module != 0 {
            said.push(format!("module {:08x}", got.module));
        }
        let labels: Vec<_> = got.labels.iter().filter(|label| label.pool == *want).collect();
        if labels.is_empty() {
            holds = false;
            said.push(format!("no label of {want}"));
        }
        for label in labels {
            let id = label.hostid.unwrap_or(0);
            holds &= label.state == "EXPORTED" || id == file;
            said.push(format!("label of partition {} {} {id:08x}", label.partition, label.state));
        }
        Verdict::of(holds, format!("one host id, or {want} exported"), said.join(", "))
    }
}
