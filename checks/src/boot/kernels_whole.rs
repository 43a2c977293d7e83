//! Judged on the kernels that are installed: that each is whole, that the newest runs and is the next to boot.

use std::collections::BTreeSet;

use super::kernels::Kernels;
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    outcome::Verdict,
};

/// Each installed kernel has modules and an initramfs, and nothing is left of others.
pub struct KernelsComplete;

impl Check for KernelsComplete {
    type Fact = Kernels;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "boot.kernels-complete",
            demand: "each kernel in /boot has an initramfs and modules, and nothing is left of a kernel that is not there",
            remedy: "`update-initramfs -c -k RELEASE` (or dracut) makes an initramfs; purge the packages of kernels that went",
            key: "boot.kernels_complete",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.boot.kernels_complete == Some(true)).then_some(())
    }

    fn judge(&self, got: &Kernels, (): &()) -> Verdict {
        let sets = [(&got.images, "kernel"), (&got.initramfs, "initramfs"), (&got.modules, "modules")];
        let mut faults: Vec<_> = got.empty.iter().map(|path| format!("{path} is empty")).collect();
        for release in sets.iter().flat_map(|(releases, _)| releases.iter()).collect::<BTreeSet<_>>() {
            // A rescue kernel is a copy of another one, with that one's modules.
            let rescue = release.starts_with("0-rescue-");
            let lacks =
                sets.iter().filter(|(releases, what)| !(releases.contains(release) || rescue && *what == "modules"));
            let lacks: Vec<_> = lacks.map(|(_, what)| *what).collect();
            if !lacks.is_empty() {
                faults.push(format!("{release} without {}", lacks.join(" and ")));
            }
        }
        if got.images.is_empty() {
            faults.push("no kernel in /boot".to_owned());
        }
        let all = got.images.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        Verdict::of(
            faults.is_empty(),
            "kernel, initramfs and modules of each release",
            if faults.is_empty() { all } else { faults.join(", ") },
        )
    }
}

/// The newest installed kernel runs.
pub struct NewestKernel;

impl Check for NewestKernel {
    type Fact = Kernels;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "boot.newest-kernel",
            demand: "the kernel that runs is the newest one installed",
            remedy: "reboot into it before the image is sealed, or set the loader's default; remove a kernel that does not boot",
            key: "boot.newest_kernel",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.boot.newest_kernel == Some(true)).then_some(())
    }

    fn judge(&self, got: &Kernels, (): &()) -> Verdict {
        let newest = got.newest().unwrap_or("a kernel with modules");
        Verdict::of(newest == got.running, newest, &got.running)
    }
}

/// No reboot is due, and the running kernel still has its modules.
pub struct NoRebootPending;

impl Check for NoRebootPending {
    type Fact = Kernels;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "boot.no-reboot-pending",
            demand: "nothing asks for a reboot, and the running kernel has its modules on disk",
            remedy: "reboot once more before the image is sealed; no update may run by itself at the first boot",
            key: "boot.no_reboot_pending",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.boot.no_reboot_pending == Some(true)).then_some(())
    }

    fn judge(&self, got: &Kernels, (): &()) -> Verdict {
        let mut said = got.reboot_asked.clone();
        if !got.modules.contains(&got.running) {
            said.push(format!("no modules of {}, which runs", got.running));
        }
        let holds = said.is_empty();
        Verdict::of(holds, "none", if holds { "none".to_owned() } else { said.join(", ") })
    }
}

/// The boot loader can start the newest kernel, and every entry that it has.
pub struct EntriesComplete;

impl Check for EntriesComplete {
    type Fact = Kernels;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "boot.entries-complete",
            demand: "the boot loader has an entry for the newest kernel and for the running one, and each entry's kernel is \
                     installed and its files are there",
            remedy: "write the entries anew (`kldload-esp sync`, `kernel-install add`), and remove those of kernels that went",
            key: "boot.entries_complete",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.boot.entries_complete == Some(true)).then_some(())
    }

    fn judge(&self, got: &Kernels, (): &()) -> Verdict {
        let mut faults = Vec::new();
        for release in [got.newest(), Some(got.running.as_str())].into_iter().flatten() {
            let has = got.entries.iter().any(|entry| entry.version.as_deref() == Some(release));
            let fault = format!("no entry for {release}");
            if !has && !faults.contains(&fault) {
                faults.push(fault);
            }
        }
        for entry in &got.entries {
            let file = &entry.file;
            faults.extend(entry.missing.iter().map(|path| format!("{file} starts {path}, which is not there")));
            if entry.files + entry.missing.len() == 0 {
                faults.push(format!("{file} starts nothing"));
            }
            match &entry.version {
                Some(version) if !got.modules.contains(version) => {
                    faults.push(format!("{file} is for {version}, which is not installed"));
                }
                _ => {}
            }
        }
        let said: Vec<_> = got.entries.iter().filter_map(|entry| entry.version.as_deref()).collect();
        Verdict::of(
            faults.is_empty(),
            "an entry for each kernel that is to boot",
            if faults.is_empty() { said.join(", ") } else { faults.join(", ") },
        )
    }
}
