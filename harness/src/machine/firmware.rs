//! The UEFI firmware of the host: which pair of flash files a machine gets.
//!
//! QEMU's own descriptors (`docs/interop/firmware.json`) are asked first, since they say what a file needs; the places
//! where distros put the files come second, for hosts without descriptors.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

/// Later folders outweigh earlier ones, for a descriptor of the same name.
const DESCRIPTORS: [&str; 2] = ["usr/share/qemu/firmware", "etc/qemu/firmware"];

/// Code and variables, as Debian, Fedora, Arch and openSUSE install them.
const PLACES: [(&str, &str); 7] = [
    ("usr/share/OVMF/OVMF_CODE_4M.fd", "usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("usr/share/OVMF/OVMF_CODE.fd", "usr/share/OVMF/OVMF_VARS.fd"),
    ("usr/share/edk2/ovmf/OVMF_CODE.fd", "usr/share/edk2/ovmf/OVMF_VARS.fd"),
    ("usr/share/edk2/x64/OVMF_CODE.4m.fd", "usr/share/edk2/x64/OVMF_VARS.4m.fd"),
    ("usr/share/edk2/x64/OVMF_CODE.fd", "usr/share/edk2/x64/OVMF_VARS.fd"),
    ("usr/share/edk2-ovmf/x64/OVMF_CODE.fd", "usr/share/edk2-ovmf/x64/OVMF_VARS.fd"),
    ("usr/share/qemu/ovmf-x86_64-code.bin", "usr/share/qemu/ovmf-x86_64-vars.bin"),
];

/// UEFI firmware for an x86-64 q35 machine without Secure Boot, in raw format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firmware {
    /// The code: the first flash drive, given read-only.
    pub code: PathBuf,
    /// The template of the variables: copied for each machine, the copy is the second flash drive.
    pub vars: PathBuf,
}

/// No firmware on this host.
#[derive(Debug, thiserror::Error)]
#[error("no UEFI firmware for x86-64: looked at {looked_at}; on Debian the package `ovmf` brings it")]
pub struct FirmwareError {
    /// The places looked at, joined with commas.
    looked_at: String,
}

impl Firmware {
    /// The firmware that this host has.
    ///
    /// # Errors
    /// [`FirmwareError`] names the places looked at and the package that brings it.
    pub fn find() -> Result<Self, FirmwareError> {
        Self::find_under(Path::new("/"))
    }

    fn find_under(root: &Path) -> Result<Self, FirmwareError> {
        let described = descriptors(root).into_values().filter_map(|path| Descriptor::read(&path)?.firmware(root));
        let usual = PLACES.iter().map(|(code, vars)| Self { code: root.join(code), vars: root.join(vars) });
        described.chain(usual).find(|firmware| firmware.code.is_file() && firmware.vars.is_file()).ok_or_else(|| {
            let places = DESCRIPTORS.iter().copied().chain(PLACES.iter().map(|(code, _)| *code));
            FirmwareError { looked_at: places.map(|place| format!("/{place}")).collect::<Vec<_>>().join(", ") }
        })
    }
}

/// The descriptor files there are, by name: their names say which comes first.
fn descriptors(root: &Path) -> BTreeMap<std::ffi::OsString, PathBuf> {
    let entries = DESCRIPTORS.iter().filter_map(|folder| fs::read_dir(root.join(folder)).ok()).flatten().flatten();
    entries
        .filter(|entry| entry.path().extension().is_some_and(|ending| ending == "json"))
        .map(|entry| (entry.file_name(), entry.path()))
        .collect()
}

/// The part of QEMU's firmware descriptor that matters here; others may write more into it.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Descriptor {
    interface_types: Vec<String>,
    mapping: Mapping,
    targets: Vec<Target>,
    features: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Mapping {
    device: String,
    executable: Option<Flash>,
    nvram_template: Option<Flash>,
}

#[derive(Deserialize)]
struct Flash {
    filename: PathBuf,
    format: String,
}

#[derive(Deserialize)]
struct Target {
    architecture: String,
    machines: Vec<String>,
}

impl Descriptor {
    fn read(path: &Path) -> Option<Self> {
        serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
    }

    /// What it describes, if our machine can run it: q35 without System Management Mode, variables in a file of their own.
    fn firmware(self, root: &Path) -> Option<Firmware> {
        let runs = self.interface_types.iter().any(|kind| kind == "uefi")
            && self.mapping.device == "flash"
            && !self.features.iter().any(|feature| matches!(feature.as_str(), "requires-smm" | "enrolled-keys"))
            && self.targets.iter().any(|target| {
                target.architecture == "x86_64"
                    && target.machines.iter().any(|machine| machine.starts_with("pc-q35") || machine == "q35")
            });
        let file = |flash: Option<Flash>| {
            let flash = flash.filter(|flash| flash.format == "raw")?;
            Some(root.join(flash.filename.strip_prefix("/").ok()?))
        };
        runs.then_some(())?;
        Some(Firmware { code: file(self.mapping.executable)?, vars: file(self.mapping.nvram_template)? })
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::Firmware;

    /// Debian 12, package ovmf, `60-edk2-x86_64.json`.
    const DEBIAN: &str = r#"{
        "description": "UEFI firmware for x86_64, without Secure Boot without SMM, with empty varstore",
        "interface-types": ["uefi"],
        "mapping": {
            "device": "flash",
            "executable": {"filename": "/usr/share/OVMF/OVMF_CODE_4M.fd", "format": "raw"},
            "nvram-template": {"filename": "/usr/share/OVMF/OVMF_VARS_4M.fd", "format": "raw"}
        },
        "targets": [{"architecture": "x86_64", "machines": ["pc-i440fx-*", "pc-q35-*"]}],
        "features": ["acpi-s3", "amd-sev", "verbose-dynamic"],
        "tags": []
    }"#;

    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_descriptor_outweighs_the_usual_places() {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), "opt/CODE.fd", "");
        put(root.path(), "opt/VARS.fd", "");
        put(root.path(), "usr/share/edk2/ovmf/OVMF_CODE.fd", "");
        put(root.path(), "usr/share/edk2/ovmf/OVMF_VARS.fd", "");
        let found = Firmware::find_under(root.path()).unwrap();
        assert_eq!(found.code, root.path().join("usr/share/edk2/ovmf/OVMF_CODE.fd"));

        let described = DEBIAN.replace("/usr/share/OVMF/OVMF_CODE_4M.fd", "/opt/CODE.fd");
        let described = described.replace("/usr/share/OVMF/OVMF_VARS_4M.fd", "/opt/VARS.fd");
        let with_smm = described.replace("\"acpi-s3\"", "\"requires-smm\"").replace("/opt/CODE.fd", "/opt/VARS.fd");
        put(root.path(), "usr/share/qemu/firmware/50-secure.json", &with_smm);
        put(root.path(), "usr/share/qemu/firmware/60-plain.json", &described);
        let found = Firmware::find_under(root.path()).unwrap();
        assert_eq!(found.code, root.path().join("opt/CODE.fd"));
        assert_eq!(found.vars, root.path().join("opt/VARS.fd"));
    }

    #[test]
    fn what_another_format_or_a_missing_file_describes_is_not_taken() {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), "usr/share/qemu/firmware/50-gone.json", DEBIAN);
        put(root.path(), "usr/share/qemu/firmware/60-qcow2.json", &DEBIAN.replace("\"raw\"", "\"qcow2\""));
        put(root.path(), "usr/share/qemu/firmware/70-broken.json", "{");
        let error = Firmware::find_under(root.path()).unwrap_err().to_string();
        assert!(error.contains("/usr/share/OVMF/OVMF_CODE_4M.fd") && error.contains("`ovmf`"), "{error}");
        put(root.path(), "usr/share/OVMF/OVMF_CODE_4M.fd", "");
        assert!(Firmware::find_under(root.path()).is_err(), "code without variables");
        put(root.path(), "usr/share/OVMF/OVMF_VARS_4M.fd", "");
        assert!(Firmware::find_under(root.path()).is_ok());
    }
}
