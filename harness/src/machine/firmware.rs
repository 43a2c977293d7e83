//! The UEFI firmware of the host: which pair of flash files a machine gets.
//!
//! QEMU's own descriptors (`docs/interop/firmware.json`) are asked first, since they say what a file needs; the places
//! where distros put the files come second, for hosts without descriptors. Firmware that enforces Secure Boot comes with
//! variables that hold keys (Microsoft's, usually); a caller's own may hold others.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::spec::FirmwareChoice;

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

/// The same with Secure Boot: code that keeps its variables from the guest, and variables with keys.
const SECURE_PLACES: [(&str, &str); 4] = [
    ("usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "usr/share/OVMF/OVMF_VARS_4M.ms.fd"),
    ("usr/share/OVMF/OVMF_CODE.secboot.fd", "usr/share/OVMF/OVMF_VARS.ms.fd"),
    ("usr/share/edk2/ovmf/OVMF_CODE.secboot.fd", "usr/share/edk2/ovmf/OVMF_VARS.secboot.fd"),
    ("usr/share/qemu/ovmf-x86_64-smm-ms-code.bin", "usr/share/qemu/ovmf-x86_64-smm-ms-vars.bin"),
];

/// How a variable is found in a store of edk2's (`AUTHENTICATED_VARIABLE_HEADER`): its namespace stands in front of its name, and
/// so far before that are its state and the sizes of its name and its data.
const STATE_BEFORE: usize = 42;
const NAME_SIZE_BEFORE: usize = 8;
const DATA_SIZE_BEFORE: usize = 4;
/// The states of a variable that counts: written whole, and one that is about to be replaced.
const COUNTS: [u8; 2] = [0x3f, 0x3e];
/// `EFI_GLOBAL_VARIABLE` (UEFI 2.10, 3.3): a platform key in it makes the firmware check what it starts.
const GLOBAL: [u8; 16] = *b"\x61\xdf\xe4\x8b\xca\x93\xd2\x11\xaa\x0d\x00\xe0\x98\x03\x2b\x8c";
const PLATFORM_KEY: &str = "PK";
/// edk2's `gEfiSecureBootEnableDisableGuid`: what its menu switches Secure Boot off by.
const SWITCH: [u8; 16] = *b"\xc7\x0b\xa3\xf0\x08\xaf\x56\x45\x99\xc4\x00\x10\x09\xc9\x3a\x44";
const SWITCH_NAME: &str = "SecureBootEnable";

/// UEFI firmware for an x86-64 q35 machine, in raw format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firmware {
    /// The code: the first flash drive, given read-only.
    pub code: PathBuf,
    /// The template of the variables: copied for each machine, the copy is the second flash drive.
    pub vars: PathBuf,
    /// Whether only code in System Management Mode may write the variables.
    pub guarded: bool,
}

/// No firmware, or no variables for it.
#[derive(Debug, thiserror::Error)]
pub enum FirmwareError {
    /// This host has none.
    #[error("no UEFI firmware for x86-64{with}: looked at {looked_at}; on Debian the package `ovmf` brings it")]
    None {
        /// What it would have to have.
        with: &'static str,
        /// The places looked at, joined with commas.
        looked_at: String,
    },
    /// The caller's variables cannot be read.
    #[error("firmware variables {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// They are of another firmware.
    #[error("firmware variables {}: {bytes} bytes, and those of {} are {wanted}; take a copy of {} and change that", path.display(), code.display(), vars.display())]
    OtherSize {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The size that the firmware keeps its variables in.
        wanted: u64,
        /// The firmware.
        code: PathBuf,
        /// The variables that come with it.
        vars: PathBuf,
    },
    /// Nothing would be checked.
    #[error("firmware variables {}: {why}, so that Secure Boot would be off; take a copy of {}, and add keys to that", path.display(), vars.display())]
    Off {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
        /// The variables that come with the firmware.
        vars: PathBuf,
    },
}

impl Firmware {
    /// The firmware that this host has, for variables that come with it or for the caller's.
    ///
    /// # Errors
    /// [`FirmwareError`] names the places looked at and the package that brings it.
    pub fn find(choice: FirmwareChoice, own_vars: bool) -> Result<Self, FirmwareError> {
        Self::find_under(Path::new("/"), choice, own_vars)
    }

    fn find_under(root: &Path, choice: FirmwareChoice, own_vars: bool) -> Result<Self, FirmwareError> {
        let (places, with) = match choice {
            FirmwareChoice::Uefi => (&PLACES[..], ""),
            FirmwareChoice::UefiSecureBoot => (&SECURE_PLACES[..], " with Secure Boot and keys"),
        };
        let wanted = (choice, own_vars);
        let described =
            descriptors(root).into_values().filter_map(|path| Descriptor::read(&path)?.firmware(root, wanted));
        let guarded = choice == FirmwareChoice::UefiSecureBoot;
        let usual = places.iter().map(|(code, vars)| Self { code: root.join(code), vars: root.join(vars), guarded });
        described.chain(usual).find(|firmware| firmware.code.is_file() && firmware.vars.is_file()).ok_or_else(|| {
            let places = DESCRIPTORS.iter().copied().chain(places.iter().map(|(code, _)| *code));
            let looked_at = places.map(|place| format!("/{place}")).collect::<Vec<_>>().join(", ");
            FirmwareError::None { with, looked_at }
        })
    }

    /// Whether the variables of `path` are as many bytes as it keeps them in.
    pub(super) fn fits(&self, path: &Path) -> Result<(), FirmwareError> {
        let size = |path: &Path| {
            let size = fs::metadata(path).and_then(|metadata| {
                if metadata.is_file() { Ok(metadata.len()) } else { Err(io::Error::other("not a file")) }
            });
            size.map_err(|source| FirmwareError::Unreadable { path: path.to_owned(), source })
        };
        let (bytes, wanted, path) = (size(path)?, size(&self.vars)?, path.to_owned());
        if bytes == wanted {
            return Ok(());
        }
        Err(FirmwareError::OtherSize { path, bytes, wanted, code: self.code.clone(), vars: self.vars.clone() })
    }

    /// Whether it checks what it starts, where it is to, when it begins with these variables, which are those of `path`.
    pub(super) fn begins_with(&self, store: &[u8], path: &Path, choice: FirmwareChoice) -> Result<(), FirmwareError> {
        let (path, vars) = (path.to_owned(), self.vars.clone());
        let off = |why| Err(FirmwareError::Off { path, why, vars });
        if choice == FirmwareChoice::Uefi {
            Ok(())
        } else if variable(store, GLOBAL, PLATFORM_KEY).is_none_or(<[u8]>::is_empty) {
            off("no platform key among them")
        } else if variable(store, SWITCH, SWITCH_NAME) == Some(&[0]) {
            off("SecureBootEnable is 0")
        } else {
            Ok(())
        }
    }
}

/// The data of a variable that counts.
fn variable<'a>(store: &'a [u8], namespace: [u8; 16], name: &str) -> Option<&'a [u8]> {
    let name: Vec<u8> = name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    let begin = [&namespace[..], &name].concat();
    let size = |at: usize| Some(u32::from_le_bytes(store.get(at..at + 4)?.try_into().ok()?) as usize);
    store.windows(begin.len()).enumerate().filter(|(_, bytes)| *bytes == begin).find_map(|(at, _)| {
        let counts = store.get(at.checked_sub(STATE_BEFORE)?).is_some_and(|state| COUNTS.contains(state));
        let whole = size(at.checked_sub(NAME_SIZE_BEFORE)?)? == name.len();
        let data = at + begin.len();
        let end = data.checked_add(size(at.checked_sub(DATA_SIZE_BEFORE)?)?)?;
        store.get(data..end).filter(|_| counts && whole)
    })
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

    /// What it describes, if our machine can run it: q35, variables in a file of their own, and with Secure Boot or without
    /// it as is wanted.
    fn firmware(self, root: &Path, (choice, own_vars): (FirmwareChoice, bool)) -> Option<Firmware> {
        let has = |feature: &str| self.features.iter().any(|other| other == feature);
        let guarded = has("requires-smm");
        let fits = match choice {
            FirmwareChoice::Uefi => !guarded && !has("enrolled-keys"),
            // Variables that the guest could write would be no keys; the caller's have to hold some, whatever comes with it.
            FirmwareChoice::UefiSecureBoot => guarded && has("secure-boot") && (own_vars || has("enrolled-keys")),
        };
        let runs = fits
            && self.interface_types.iter().any(|kind| kind == "uefi")
            && self.mapping.device == "flash"
            && self.targets.iter().any(|target| {
                target.architecture == "x86_64"
                    && target.machines.iter().any(|machine| machine.starts_with("pc-q35") || machine == "q35")
            });
        let file = |flash: Option<Flash>| {
            let flash = flash.filter(|flash| flash.format == "raw")?;
            Some(root.join(flash.filename.strip_prefix("/").ok()?))
        };
        runs.then_some(())?;
        Some(Firmware { code: file(self.mapping.executable)?, vars: file(self.mapping.nvram_template)?, guarded })
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::{Firmware, FirmwareChoice, GLOBAL, SWITCH, variable};

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
        let found = Firmware::find_under(root.path(), FirmwareChoice::Uefi, false).unwrap();
        assert_eq!(found.code, root.path().join("usr/share/edk2/ovmf/OVMF_CODE.fd"));

        let described = DEBIAN.replace("/usr/share/OVMF/OVMF_CODE_4M.fd", "/opt/CODE.fd");
        let described = described.replace("/usr/share/OVMF/OVMF_VARS_4M.fd", "/opt/VARS.fd");
        let with_smm = described.replace("\"acpi-s3\"", "\"requires-smm\"").replace("/opt/CODE.fd", "/opt/VARS.fd");
        put(root.path(), "usr/share/qemu/firmware/50-secure.json", &with_smm);
        put(root.path(), "usr/share/qemu/firmware/60-plain.json", &described);
        let found = Firmware::find_under(root.path(), FirmwareChoice::Uefi, false).unwrap();
        assert_eq!(found.code, root.path().join("opt/CODE.fd"));
        assert_eq!(found.vars, root.path().join("opt/VARS.fd"));
    }

    #[test]
    fn secure_boot_wants_keys_and_a_guard() {
        let find = |root: &Path| Firmware::find_under(root, FirmwareChoice::UefiSecureBoot, false);
        let root = tempfile::tempdir().unwrap();
        put(root.path(), "usr/share/OVMF/OVMF_CODE_4M.fd", "");
        put(root.path(), "usr/share/OVMF/OVMF_VARS_4M.fd", "");
        put(root.path(), "usr/share/qemu/firmware/60-plain.json", DEBIAN);
        let error = find(root.path()).unwrap_err().to_string();
        assert!(error.starts_with("no UEFI firmware for x86-64 with Secure Boot and keys: looked at "), "{error}");
        for file in ["CODE_4M.secboot", "CODE_4M.ms", "VARS_4M.ms"] {
            put(root.path(), &format!("usr/share/OVMF/OVMF_{file}.fd"), "");
        }
        let found = find(root.path()).unwrap();
        assert!(found.guarded && found.code.ends_with("OVMF_CODE_4M.secboot.fd"));
        // As Debian 12 describes it; what has no keys comes first by its name, and is passed over.
        let secure = DEBIAN.replace("\"acpi-s3\"", "\"requires-smm\", \"secure-boot\"");
        put(root.path(), "usr/share/qemu/firmware/40-secure.json", &secure);
        let enrolled =
            secure.replace("\"secure-boot\"", "\"secure-boot\", \"enrolled-keys\"").replace("4M.fd", "4M.ms.fd");
        put(root.path(), "usr/share/qemu/firmware/50-enrolled.json", &enrolled);
        let found = find(root.path()).unwrap();
        assert!(
            found.guarded && found.code.ends_with("OVMF_CODE_4M.ms.fd") && found.vars.ends_with("OVMF_VARS_4M.ms.fd")
        );
        assert!(!Firmware::find_under(root.path(), FirmwareChoice::Uefi, false).unwrap().guarded);
    }

    #[test]
    fn variables_that_the_guest_could_write_are_no_keys() {
        let root = tempfile::tempdir().unwrap();
        for file in ["CODE_4M", "VARS_4M"] {
            put(root.path(), &format!("usr/share/OVMF/OVMF_{file}.fd"), "");
        }
        let describe = |features: &str| {
            put(root.path(), "usr/share/qemu/firmware/50.json", &DEBIAN.replace("\"acpi-s3\"", features));
        };
        let find = |own| Firmware::find_under(root.path(), FirmwareChoice::UefiSecureBoot, own);
        describe("\"secure-boot\", \"enrolled-keys\"");
        assert!(find(false).is_err() && find(true).is_err(), "nothing guards them");
        describe("\"secure-boot\", \"requires-smm\"");
        assert!(find(false).is_err(), "no keys");
        assert!(find(true).unwrap().guarded, "the caller brings them");
    }

    /// A variable as edk2 writes it.
    fn written(state: u8, namespace: [u8; 16], name: &str, data: &[u8]) -> Vec<u8> {
        let name: Vec<u8> = name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
        let mut bytes = vec![0xaa, 0x55, state, 0];
        bytes.resize(36, 0);
        bytes.extend(u32::try_from(name.len()).unwrap().to_le_bytes());
        bytes.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        [&bytes, &namespace[..], &name, data].concat()
    }

    #[test]
    fn only_a_variable_that_counts_is_one() {
        let read = |store: &[u8]| variable(store, GLOBAL, "PK").map(<[u8]>::to_vec);
        let key = |state| written(state, GLOBAL, "PK", b"key");
        assert_eq!(read(&[written(0x3f, GLOBAL, "KEK", b"x"), key(0x3f)].concat()), Some(b"key".to_vec()));
        assert_eq!(read(&key(0x3e)), Some(b"key".to_vec()), "about to be replaced");
        assert_eq!(read(&[key(0x3c), written(0x3f, GLOBAL, "PKDefault", b"x")].concat()), None, "removed");
        assert_eq!(read(&key(0x3f)[..key(0x3f).len() - 1]), None, "cut off");
        assert_eq!(read(&key(0x3f)[44..]), None, "nothing in front of it");
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn variables_of_the_callers_have_to_fit() {
        let root = tempfile::tempdir().unwrap();
        let vars = root.path().join("template");
        let on = [written(0x3f, GLOBAL, "PK", b"key"), written(0x3f, SWITCH, "SecureBootEnable", &[1])].concat();
        fs::write(&vars, &on).unwrap();
        let firmware = Firmware { code: root.path().join("code"), vars, guarded: true };
        let begins = |store: &[u8], choice| {
            firmware.begins_with(store, Path::new("mine.fd"), choice).map_err(|error| error.to_string())
        };
        assert_eq!(begins(&on, FirmwareChoice::UefiSecureBoot), Ok(()));
        let mut off = on.clone();
        *off.last_mut().unwrap() = 0;
        let error = begins(&off, FirmwareChoice::UefiSecureBoot).unwrap_err();
        assert!(error.starts_with("firmware variables mine.fd: SecureBootEnable is 0, so that Secure Boot"), "{error}");
        let none = vec![0xff; on.len()];
        assert_eq!(begins(&none, FirmwareChoice::Uefi), Ok(()));
        let error = begins(&none, FirmwareChoice::UefiSecureBoot).unwrap_err();
        assert!(error.contains("no platform key among them") && error.contains("template"), "{error}");
        let fits = |name: &str| firmware.fits(&root.path().join(name)).map_err(|error| error.to_string());
        fs::write(root.path().join("short"), "").unwrap();
        assert_eq!(fits("template"), Ok(()));
        assert!(fits("short").unwrap_err().contains("short: 0 bytes, and those of "));
        assert!(fits("gone").unwrap_err().contains("gone: No such file"));
        assert!(firmware.fits(Path::new("/dev/zero")).unwrap_err().to_string().ends_with("/dev/zero: not a file"));
    }

    #[test]
    fn what_another_format_or_a_missing_file_describes_is_not_taken() {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), "usr/share/qemu/firmware/50-gone.json", DEBIAN);
        put(root.path(), "usr/share/qemu/firmware/60-qcow2.json", &DEBIAN.replace("\"raw\"", "\"qcow2\""));
        put(root.path(), "usr/share/qemu/firmware/70-broken.json", "{");
        let find = || Firmware::find_under(root.path(), FirmwareChoice::Uefi, false);
        let error = find().unwrap_err().to_string();
        assert!(error.contains("/usr/share/OVMF/OVMF_CODE_4M.fd") && error.contains("`ovmf`"), "{error}");
        put(root.path(), "usr/share/OVMF/OVMF_CODE_4M.fd", "");
        assert!(find().is_err(), "code without variables");
        put(root.path(), "usr/share/OVMF/OVMF_VARS_4M.fd", "");
        assert!(find().is_ok());
    }
}
