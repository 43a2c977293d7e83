//! The kernel and initramfs that the boot loader starts, beside those in `/boot` that they were copied from; and the
//! kernel in `/boot` beside the one that runs: an update changes the file and keeps the release.

use std::time::Duration;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// The files that are started and those that are installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copies {
    /// Files on the EFI system partition and the one in `/boot` that each has to be a copy of.
    pub copies: Vec<Copy>,
    /// What runs: `/proc/version` from its `#` on.
    pub running: String,
    /// The same of the kernel image in `/boot`.
    pub installed: String,
}

/// One file and what it is a copy of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// Whether they are the same.
    pub same: bool,
    /// The copy.
    pub path: String,
    /// What it was made of.
    pub of: String,
}

/// The header of a kernel image tells where its version stands: 16 bits at 0x20e, from byte 512 on.
const SCRIPT: &str = r#"command -v cmp >/dev/null && command -v od >/dev/null || exit 127
read -r k </proc/sys/kernel/osrelease || exit
i=/boot/vmlinuz-$k
at=$(od -An -tu2 -j 526 -N 2 "$i") || exit
printf 'installed %s\n' "$(tail -c +$((at + 513)) "$i" | head -c 256 | tr '\0' '\n' | head -n 1)"
read -r v </proc/version || exit
printf 'running %s\n' "$v"
for p in /boot/efi /efi; do
for e in "$p"/loader/entries/*.conf; do
[ -f "$e" ] || continue
v= l= n=
while read -r key value || [ -n "$key" ]; do
case $key in version) v=$value ;; linux) l=$value ;; initrd) n=$value ;; esac
done <"$e"
[ -n "$v" ] || continue
for c in "$l /boot/vmlinuz-$v" "$n /boot/initrd.img-$v"; do
f=$p${c% *}
cmp -s "$f" "${c##* }"
case $? in 0) echo "same $f ${c##* }" ;; *) echo "differs $f ${c##* }" ;; esac
done
done
done
:"#;

impl Fact for Copies {
    const ID: &'static str = "boot.copies";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["sh", "-c", SCRIPT]).limit(Duration::from_mins(5))]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let (mut copies, mut running, mut installed) = (Vec::new(), None, None);
        for line in out[0].ok()?.lines() {
            let unreadable = || Unreadable::new(format!("not a line about copies: {line}"));
            match line.split_once(' ').ok_or_else(unreadable)? {
                ("running", version) => running = build(version),
                ("installed", version) => installed = build(version),
                (same @ ("same" | "differs"), files) => {
                    let (path, of) = files.split_once(' ').ok_or_else(unreadable)?;
                    copies.push(Copy { same: same == "same", path: path.to_owned(), of: of.to_owned() });
                }
                _ => return Err(unreadable()),
            }
        }
        let (Some(running), Some(installed)) = (running, installed) else {
            return Err(Unreadable::new("the kernel, or its image in /boot, does not say its build"));
        };
        Ok(Self { copies, running, installed })
    }
}

/// From `#` on: number, kind, and date or package of the build.
fn build(version: &str) -> Option<String> {
    version.find('#').map(|at| version[at..].trim().to_owned())
}

/// What the loader starts is what is installed.
pub struct EntriesCurrent;

impl Check for EntriesCurrent {
    type Fact = Copies;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "boot.entries-current",
            demand: "the kernel and initramfs on the EFI system partition are byte for byte those in /boot",
            remedy: "`kldload-esp sync` after the initramfs is made; look why its hook did not run, or whether the partition is full",
            key: "boot.entries_current",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.boot.entries_current == Some(true)).then_some(())
    }

    fn judge(&self, got: &Copies, (): &()) -> Verdict {
        let stale = got.copies.iter().filter(|copy| !copy.same);
        let stale: Vec<_> = stale.map(|copy| format!("{} is not {}", copy.path, copy.of)).collect();
        let said = match (got.copies.len(), stale.is_empty()) {
            (0, _) => "nothing on the EFI system partition".to_owned(),
            (files, true) => format!("{files} files, all the same"),
            (_, false) => stale.join(", "),
        };
        Verdict::of(stale.is_empty() && !got.copies.is_empty(), "copies of what is in /boot", said)
    }
}

/// The kernel that runs is the one that is installed under its name.
pub struct KernelAsInstalled;

impl Check for KernelAsInstalled {
    type Fact = Copies;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "boot.kernel-as-installed",
            demand: "the kernel that runs is of the same build as the image in /boot that has its release",
            remedy: "reboot into the kernel that was updated under the same release, and write the loader's entries anew",
            key: "boot.kernel_as_installed",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.boot.kernel_as_installed == Some(true)).then_some(())
    }

    fn judge(&self, got: &Copies, (): &()) -> Verdict {
        Verdict::of(got.running == got.installed, &got.installed, &got.running)
    }
}
