//! BTF: the kernel's description of its own types, without which portable eBPF programs do not load.

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Exit, Output, Probe},
};

/// The head of `/sys/kernel/btf/vmlinux`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Btf {
    /// Length of its type section in bytes; nothing where the kernel gives no BTF.
    pub types: Option<u32>,
}

impl Fact for Btf {
    const ID: &'static str = "modules.btf";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["od", "-An", "-v", "-tx1", "-N24", "/sys/kernel/btf/vmlinux"])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let missing = "/sys/kernel/btf/vmlinux: No such file or directory";
        if out[0].exit == Exit::Code(1) && out[0].stderr.trim_end().ends_with(missing) {
            return Ok(Self { types: None });
        }
        let text = out[0].ok()?;
        let bytes: Result<Vec<_>, _> = text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16)).collect();
        // magic 0xeb9f, version, flags; then four-byte lengths: header, type offset, type length, string offset, …
        match bytes.ok().as_deref() {
            Some([0x9f, 0xeb, 1, _, _, _, _, _, _, _, _, _, a, b, c, d, ..]) => {
                Ok(Self { types: Some(u32::from_le_bytes([*a, *b, *c, *d])) })
            }
            _ => Err(Unreadable::new(format!("not the head of BTF: {}", text.trim()))),
        }
    }
}

/// The kernel describes its types.
pub struct BtfPresent;

impl Check for BtfPresent {
    type Fact = Btf;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "modules.btf-present",
            demand: "the kernel gives BTF at /sys/kernel/btf/vmlinux",
            remedy: "install a kernel built with CONFIG_DEBUG_INFO_BTF=y",
            key: "modules.btf",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.modules.btf == Some(true)).then_some(())
    }

    fn judge(&self, got: &Btf, (): &()) -> Verdict {
        let said = got.types.map_or("no BTF".to_owned(), |types| format!("{types} bytes of types"));
        Verdict::of(got.types.is_some_and(|types| types > 0), "BTF with types", said)
    }
}
