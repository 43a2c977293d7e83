//! Who gets in: SSH logins, the firewall, accounts, and the kernel's mandatory access control.

mod access_control;
mod accounts;
mod firewall;
mod sshd;
mod sshd_match;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::AnyCheck;

pub use access_control::{AccessControl, AccessControlWanted, Module};
pub use accounts::{Account, Accounts, Password};
pub use firewall::{Firewall, FirewallWanted};
pub use sshd::{RootLogin, SshdSettings};
pub use sshd_match::{MatchBlock, SshdMatch};

/// What is expected of security.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// The mandatory access control, and whether it enforces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_control: Option<AccessControlWanted>,
    /// The accounts that may have an empty password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub empty_passwords: Option<Vec<String>>,
    /// What the firewall has to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firewall: Option<FirewallWanted>,
    /// Whether SSH lets somebody in by a password alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_login: Option<bool>,
    /// Whether SSH lets root in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_login: Option<RootLogin>,
    /// The accounts that have uid 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid_zero: Option<Vec<String>>,
}

/// The checks of this topic, by ID.
pub static CHECKS: &[&dyn AnyCheck] = &[
    &access_control::AccessControlAsExpected,
    &firewall::FirewallDrops,
    &firewall::FirewallLetsSshIn,
    &sshd_match::MatchBlocksNoLooser,
    &accounts::NoEmptyPasswords,
    &sshd::PasswordLoginAsExpected,
    &sshd::RootLoginAsExpected,
    &accounts::UidZeroAsExpected,
];
