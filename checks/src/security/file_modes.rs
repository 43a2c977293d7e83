//! Modes and owners of files and folders on which all else rests.

use std::collections::BTreeMap;

use super::permissions::Permissions;
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    lists::{allows, some},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// The places that are looked at, as the shell spells them; a link is not followed.
const PLACES: &str = "/etc/passwd /etc/passwd- /etc/shadow /etc/shadow- /etc/group /etc/group- /etc/gshadow /etc/gshadow- \
     /etc/security/opasswd /etc/ssh/sshd_config /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub /etc/hostid \
     /etc/crontab /etc/cron.d /etc/cron.hourly /etc/cron.daily /etc/cron.weekly /etc/cron.monthly /etc/cron.yearly \
     /etc/cron.allow /etc/cron.deny /etc/at.allow /etc/at.deny /var/spool/cron /var/spool/cron/crontabs \
     /etc/sudoers.d /etc/ssl/private /etc/wireguard /etc/nftables.conf /etc/zfs/keys \
     /tmp /var/tmp /root /boot/efi/loader/random-seed /boot/loader/random-seed /var/lib/systemd/random-seed \
     /var/lib/systemd/credential.secret /var/lib/private /var/log/btmp /var/log/wtmp";

/// What there is of the places, with its permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileModes(BTreeMap<String, Permissions>);

impl Fact for FileModes {
    const ID: &'static str = "security.file-modes";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["sh", "-c", &format!("stat -c '%a %U:%G %n' -- {PLACES}")])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let missing = |line: &&str| line.ends_with("No such file or directory");
        if let Some(line) = out[0].stderr.lines().find(|line| !missing(line)) {
            return Err(Unreadable::new(line));
        }
        let read = |line: &str| {
            let (mode, rest) = line.split_once(' ')?;
            let (owner, path) = rest.split_once(' ')?;
            Some((path.to_owned(), format!("{mode} {owner}").parse().ok()?))
        };
        let line = |line| read(line).ok_or_else(|| Unreadable::new(format!("stat: {line}")));
        let files: BTreeMap<_, _> = out[0].whole()?.lines().map(line).collect::<Result<_, _>>()?;
        if !files.contains_key("/etc/passwd") {
            return Err(Unreadable::new("stat tells nothing of /etc/passwd"));
        }
        Ok(Self(files))
    }
}

/// Files and folders are open to nobody to whom they are not declared open.
pub struct FileModesAsDeclared;

impl Check for FileModesAsDeclared {
    type Fact = FileModes;
    type Want = BTreeMap<String, Permissions>;

    fn about(&self) -> &About {
        &About {
            id: "security.file-modes-as-declared",
            demand: "what there is of the declared files and folders is no more open than declared",
            remedy: "`chmod` and `chown` it; a copy made by `cp` without -p has other permissions than the file",
            key: "security.file_modes",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<BTreeMap<String, Permissions>> {
        image.security.file_modes.clone()
    }

    fn judge(&self, got: &FileModes, want: &BTreeMap<String, Permissions>) -> Verdict {
        let mut count = 0;
        let mut wrong = Vec::new();
        for (pattern, most) in want {
            if !PLACES.split_whitespace().any(|place| place == pattern) {
                wrong.push(format!("{pattern} is not among the places that are looked at"));
            }
            let names = std::slice::from_ref(pattern);
            for (path, is) in got.0.iter().filter(|(path, _)| allows(names, path)) {
                count += 1;
                if !is.within(most) {
                    wrong.push(format!("{path} {is}, declared {most}"));
                }
            }
        }
        let none = format!("{count} of {} are there, all so", want.len());
        Verdict::of(wrong.is_empty(), format_args!("{} places as declared", want.len()), some(&wrong, &none))
    }
}
