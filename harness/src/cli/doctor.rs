//! `kverify doctor`: what this host has of what a run needs, and the package that brings what it lacks.

use std::{env, fs, io, path::Path, time::Duration};

use serde::Serialize;
use tokio::{process::Command, time::timeout};

use super::said::Said;
use crate::{
    image::RESERVE_BYTES,
    machine::{Firmware, FirmwareChoice},
    memory::available,
    report::{Ink, Page, Style, json, plain},
};

/// How long a program may take to tell its version.
const VERSION_LIMIT: Duration = Duration::from_secs(10);
/// Memory that the default machine may come to use, and QEMU beside it.
const MEMORY_BYTES: u64 = 2304 << 20;
const MIB: u64 = 1 << 20;

/// Options of `kverify doctor`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// As JSON: a list of objects with name, state, found and mend.
    #[arg(long)]
    json: bool,
}

/// Whether a part is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// As it should be.
    Good,
    /// A run is possible, but slower or at risk.
    Poor,
    /// No run is possible.
    Missing,
}

/// One thing that a run needs.
#[derive(Clone, Debug, Serialize)]
struct Part {
    name: &'static str,
    state: State,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

impl Part {
    fn good(name: &'static str, found: String) -> Self {
        Self { name, state: State::Good, found, mend: None }
    }

    fn lacks(name: &'static str, state: State, found: String, mend: impl Into<String>) -> Self {
        Self { name, state, found, mend: Some(mend.into()) }
    }
}

/// Looks at the host. The exit status is 0 if a run is possible here, else 2.
pub(crate) async fn said(args: &Args, style: &Style) -> Said {
    let folder = env::temp_dir();
    let parts = [
        program("qemu-system-x86_64", "qemu-system-x86").await,
        program("qemu-img", "qemu-utils").await,
        program("setpriv", "util-linux").await,
        firmware(FirmwareChoice::Uefi),
        firmware(FirmwareChoice::UefiSecureBoot),
        kvm(Path::new("/dev/kvm")),
        temporary(&folder),
        disk(&folder),
        memory(),
    ];
    tell(&parts, args.json, style)
}

fn tell(parts: &[Part], as_json: bool, style: &Style) -> Said {
    let possible = parts.iter().all(|part| part.state != State::Missing);
    let code = if possible { 0 } else { 2 };
    if as_json {
        return Said { text: json::harmless(&parts), code };
    }
    let mut page = Page::new(style);
    for part in parts {
        let (ink, mark) = match part.state {
            State::Good => (Ink::Good, "ok"),
            State::Poor => (Ink::Unsure, "poor"),
            State::Missing => (Ink::Bad, "LACKS"),
        };
        let mend = part.mend.as_ref().map_or_else(String::new, |mend| format!("\n→ {mend}"));
        page.hanging(0, 7, ink, mark, &format!("{:18}  {}{mend}", part.name, part.found));
    }
    page.gap();
    page.line(if possible { "images can be verified here" } else { "no image can be verified here" });
    Said { text: page.finish(), code }
}

async fn program(name: &'static str, package: &str) -> Part {
    let path = env::var_os("PATH").unwrap_or_default();
    let Some(place) = env::split_paths(&path).map(|folder| folder.join(name)).find(|place| place.is_file()) else {
        let mend = format!("on Debian: apt-get install {package}");
        return Part::lacks(name, State::Missing, "not in PATH".to_owned(), mend);
    };
    let run = Command::new(&place).arg("--version").kill_on_drop(true).output();
    let broken = |why: String| {
        let mend = format!("on Debian: apt-get install --reinstall {package}");
        Part::lacks(name, State::Missing, format!("{}: {why}", place.display()), mend)
    };
    match timeout(VERSION_LIMIT, run).await {
        Err(_) => broken(format!("did not tell its version within {} s", VERSION_LIMIT.as_secs())),
        Ok(Err(error)) => broken(error.to_string()),
        Ok(Ok(output)) if !output.status.success() => broken(format!("--version ended with {}", output.status)),
        Ok(Ok(output)) => {
            let said = String::from_utf8_lossy(&output.stdout);
            Part::good(name, plain::line(said.lines().next().unwrap_or_default(), 200))
        }
    }
}

fn firmware(choice: FirmwareChoice) -> Part {
    let (name, state, mend) = match choice {
        FirmwareChoice::Uefi => ("UEFI firmware", State::Missing, "on Debian: apt-get install ovmf"),
        FirmwareChoice::UefiSecureBoot => {
            ("Secure Boot", State::Poor, "only --firmware uefi-secure-boot needs it; on Debian: apt-get install ovmf")
        }
    };
    match Firmware::find(choice, false) {
        Ok(firmware) => Part::good(name, firmware.code.display().to_string()),
        Err(error) => Part::lacks(name, state, error.to_string(), mend),
    }
}

fn kvm(device: &Path) -> Part {
    let name = "KVM";
    match fs::File::options().read(true).write(true).open(device) {
        Ok(_) => Part::good(name, format!("{} opens; whether a guest runs on it, a guest will tell", device.display())),
        Err(error) => {
            let found = format!("{}: {error}; guests are emulated, about ten times slower", device.display());
            let mend = match error.kind() {
                io::ErrorKind::PermissionDenied => "add the user to the group of that device (on Debian: kvm)",
                _ => "switch virtualisation on in the firmware, or nested virtualisation in the host above",
            };
            Part::lacks(name, State::Poor, found, mend)
        }
    }
}

fn temporary(folder: &Path) -> Part {
    let name = "temporary folder";
    match tempfile::tempfile_in(folder) {
        Ok(_) => Part::good(name, folder.display().to_string()),
        Err(error) => {
            let found = format!("{}: {error}", folder.display());
            Part::lacks(name, State::Missing, found, "name another with --scratch or TMPDIR")
        }
    }
}

fn disk(folder: &Path) -> Part {
    let name = "free disk";
    match rustix::fs::statvfs(folder) {
        Err(error) => Part::lacks(name, State::Missing, format!("{}: {error}", folder.display()), "see above"),
        Ok(space) => {
            let free = space.f_bavail.saturating_mul(space.f_frsize);
            let found = format!("{} MiB in {}", free / MIB, folder.display());
            match free {
                free if free < RESERVE_BYTES => {
                    let mend = format!("free {} MiB there, or name another folder with --scratch", RESERVE_BYTES / MIB);
                    Part::lacks(name, State::Missing, found, mend)
                }
                _ => Part::good(name, found),
            }
        }
    }
}

fn memory() -> Part {
    let name = "free memory";
    let Some(free) = available(|path| fs::read_to_string(path).ok()) else {
        return Part::lacks(name, State::Poor, "not known: /proc/meminfo tells nothing".to_owned(), "mount /proc");
    };
    let found = format!("{} MiB", free / MIB);
    if free < MEMORY_BYTES {
        let mend = format!("the default machine may use {} MiB; give it less with --memory", MEMORY_BYTES / MIB);
        return Part::lacks(name, State::Poor, found, mend);
    }
    Part::good(name, found)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Part, State, disk, kvm, program, tell, temporary};
    use crate::report::Style;

    #[test]
    fn one_missing_part_makes_runs_impossible() {
        let good = Part::good("qemu-img", "qemu-img version 10.0.2".to_owned());
        let poor = Part::lacks("KVM", State::Poor, "/dev/kvm: not there".to_owned(), "switch it on");
        let missing = Part::lacks("setpriv", State::Missing, "not in PATH".to_owned(), "apt-get install util-linux");
        let possible = tell(&[good.clone(), poor.clone()], false, &Style::default());
        assert_eq!(possible.code, 0);
        let said = tell(&[good, poor, missing], false, &Style::default());
        assert_eq!(said.code, 2);
        insta::assert_snapshot!(said.text);
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named_with_its_package() {
        let part = program("qemu-system-none", "qemu-system-x86").await;
        assert_eq!(part.state, State::Missing);
        assert_eq!(part.mend.as_deref(), Some("on Debian: apt-get install qemu-system-x86"));
        let setpriv = program("setpriv", "util-linux").await;
        assert!(setpriv.state == State::Good && setpriv.found.contains("util-linux"), "{setpriv:?}");
        assert_eq!(program("false", "coreutils").await.state, State::Missing, "it runs, and complains");
    }

    #[test]
    fn what_cannot_be_used_is_not_good() {
        assert_eq!(kvm(Path::new("/nonexistent/kvm")).state, State::Poor);
        assert_eq!(temporary(Path::new("/proc")).state, State::Missing);
        assert_eq!(disk(Path::new("/proc")).state, State::Missing, "a file system without room");
    }
}
