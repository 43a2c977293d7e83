//! Who gets in and what they may do: SSH, the firewall, accounts, sudo, files and their rights, what the kernel keeps from
//! root, and where packages come from.

mod access_control;
mod accounts;
mod core_dumps;
mod file_modes;
mod firewall;
mod homes;
mod inventory;
mod kernel_guard;
mod login_session;
mod login_settings;
mod mount_options;
mod package_sources;
mod permissions;
mod setid_files;
mod sshd;
mod sshd_algorithms;
mod sshd_match;
mod strays;
mod sudoers;
mod sysctls;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::AnyCheck;

pub use access_control::{AccessControl, AccessControlWanted, Module};
pub use accounts::{Account, Accounts, Group, Password};
pub use core_dumps::CoreDumps;
pub use file_modes::FileModes;
pub use firewall::{Firewall, FirewallWanted};
pub use homes::{Home, Homes};
pub use inventory::{FileCapabilities, Found, FoundKind, Inventory};
pub use kernel_guard::{KernelGuard, Lockdown};
pub use login_session::LoginSession;
pub use login_settings::{LoginSettings, PamLine};
pub use mount_options::MountOptions;
pub use package_sources::{Address, PackageSources};
pub use permissions::{Mode, Permissions, PermissionsError};
pub use sshd::{RootLogin, SshdSettings};
pub use sshd_match::{MatchBlock, SshdMatch};
pub use sudoers::{Sudoers, SudoersFiles};
pub use sysctls::Sysctls;

/// The account that kverify's own seed makes: what is its is not judged.
const SEED_USER: &str = "kverify";

/// What is expected of security.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// The mandatory access control, and whether it enforces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_control: Option<AccessControlWanted>,
    /// Whether accounts and groups have to have a name and a number of their own each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accounts_unique: Option<bool>,
    /// Files of authorized keys that may be there; paths, with `*` for any part, as in all lists of files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorized_keys: Option<Vec<String>>,
    /// Files in root's home, temporary folders, installers' logs and package caches that may be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_leftovers: Option<Vec<String>>,
    /// Programs that may have capabilities, as getcap prints them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Vec<String>>,
    /// Whether the memory of a program that crashes may be kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub core_dumps: Option<bool>,
    /// Memory of crashed programs that may be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub core_files: Option<Vec<String>>,
    /// Devices outside /dev that may be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub devices: Option<Vec<String>>,
    /// The accounts that may have an empty password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub empty_passwords: Option<Vec<String>>,
    /// The permissions that files and folders may have at most, as `0640 root:shadow`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_modes: Option<BTreeMap<String, Permissions>>,
    /// What the firewall has to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firewall: Option<FirewallWanted>,
    /// Histories of shells and programs that may be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub histories: Option<Vec<String>>,
    /// The mode that homes may have at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub homes: Option<Mode>,
    /// How far the kernel is locked down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lockdown: Option<Lockdown>,
    /// Whether the kernel refuses unsigned modules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_signatures: Option<bool>,
    /// The options with which the file system of a place has to be mounted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount_options: Option<BTreeMap<String, Vec<String>>>,
    /// Files of keys by which packages may be signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package_keys: Option<Vec<String>>,
    /// Files that a package manager may have put aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package_leftovers: Option<Vec<String>>,
    /// Whether every package's signature has to be checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package_signatures: Option<bool>,
    /// Addresses from which or through which packages may come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package_sources: Option<Vec<String>>,
    /// Lines of PAM that may let somebody in unasked, as `FILE MODULE OPTION`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pam_unasked: Option<Vec<String>>,
    /// The schemes by which passwords may be hashed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_hashing: Option<Vec<String>>,
    /// Whether SSH lets somebody in by a password alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_login: Option<bool>,
    /// Files that may hold a private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_keys: Option<Vec<String>>,
    /// The members that groups may have which make them as good as root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privileged_groups: Option<BTreeMap<String, Vec<String>>>,
    /// Whether SSH lets root in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_login: Option<RootLogin>,
    /// Whether nobody but root may say what root's commands are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_path: Option<bool>,
    /// The programs that may be setuid or setgid, with the permissions that they may have at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setid_files: Option<BTreeMap<String, Permissions>>,
    /// The values that settings of sshd may have, by keyword in lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sshd_options: Option<BTreeMap<String, Vec<String>>>,
    /// The algorithms that sshd must not offer, by keyword in lower case, with `*` for any part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sshd_weak: Option<BTreeMap<String, Vec<String>>>,
    /// The rules that sudo may have, as `cvtsudoers -e -f sudoers` prints them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sudo_rules: Option<Vec<String>>,
    /// Whether sudo's files have to be valid, and root's alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sudoers_valid: Option<bool>,
    /// The values that settings of the kernel may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sysctls: Option<BTreeMap<String, Vec<String>>>,
    /// Accounts of the system that somebody may log in to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_logins: Option<Vec<String>>,
    /// The accounts that have uid 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid_zero: Option<Vec<String>>,
    /// The rights that a login's umask has to take away at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub umask: Option<Mode>,
    /// Files that may belong to nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unowned_files: Option<Vec<String>>,
    /// Files and folders that everybody may write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub world_writable: Option<Vec<String>>,
}

/// The checks of this topic, by ID.
pub static CHECKS: &[&dyn AnyCheck] = &[
    &access_control::AccessControlAsExpected,
    &accounts::AccountsUnique,
    &strays::AUTHORIZED_KEYS,
    &strays::BUILD_LEFTOVERS,
    &core_dumps::CoreDumpsNotKept,
    &strays::CORE_FILES,
    &strays::DEVICES,
    &strays::FileCapabilitiesAsDeclared,
    &file_modes::FileModesAsDeclared,
    &firewall::FirewallDrops,
    &firewall::FirewallLetsSshIn,
    &strays::HISTORIES,
    &homes::HomesPrivate,
    &kernel_guard::KernelLockdownAsDeclared,
    &sshd_match::MatchBlocksNoLooser,
    &kernel_guard::ModuleSignaturesAsDeclared,
    &mount_options::MountOptionsAsDeclared,
    &accounts::NoEmptyPasswords,
    &package_sources::PackageKeysAsDeclared,
    &strays::PACKAGE_LEFTOVERS,
    &package_sources::PackageSignaturesDemanded,
    &package_sources::PackageSourcesAsDeclared,
    &login_settings::PamAsksEverybody,
    &accounts::PasswordHashesStrong,
    &login_settings::PasswordHashingStrong,
    &sshd::PasswordLoginAsExpected,
    &strays::PRIVATE_KEYS,
    &accounts::PrivilegedGroupsAsDeclared,
    &sshd::RootLoginAsExpected,
    &login_session::RootPathSafe,
    &setid_files::SetidFilesAsDeclared,
    &sshd_algorithms::SshdAlgorithmsStrong,
    &sshd_algorithms::SshdOptionsAsDeclared,
    &sudoers::SudoRulesAsDeclared,
    &sudoers::SudoersValid,
    &sysctls::SysctlsAsDeclared,
    &accounts::SystemAccountsLocked,
    &accounts::UidZeroAsExpected,
    &login_session::UmaskAsDeclared,
    &strays::UNOWNED_FILES,
    &strays::WORLD_WRITABLE,
];
