//! What a login gets: the umask and the limit that PAM and the shell's own files leave, and root's PATH.
//!
//! The files that set them override each other; so somebody is logged in, and asked.

use std::time::Duration;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

use super::permissions::{Mode, Permissions};

/// Prints what an ordinary user and root get, then the permissions of every folder of root's PATH and of those that it
/// lies in.
const SCRIPT: &str = r#"user=$(su -s /bin/sh nobody -c 'umask; ulimit -S -c') || exit
root=$(su - root -c 'umask; printf "PATH %s\n" "$PATH"') || exit
printf '= user\n%s\n= root\n%s\n= folders\n' "$user" "$root"
IFS=:
set -f
set -- /
for folder in ${root##*PATH }; do
  case $folder in /*) ;; *) continue ;; esac
  while [ -n "$folder" ]; do
    set -- "$@" "$folder"
    folder=${folder%/*}
  done
done
stat -L -c '%a %U:%G %n' -- "$@"
echo end"#;

/// What a login gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginSession {
    /// The umask of an ordinary user, and root's.
    pub umasks: [Mode; 2],
    /// The soft limit on what an ordinary user's program may leave when it crashes, as the shell tells it.
    pub core_limit: String,
    /// Root's PATH.
    pub path: String,
    /// The folders of root's PATH that there are, and those that they lie in, with their permissions.
    pub folders: Vec<(String, Permissions)>,
}

impl LoginSession {
    pub(super) fn probe() -> Probe {
        Probe::root(["sh", "-c", SCRIPT]).limit(Duration::from_mins(1)).touches()
    }

    /// Reads what the script says.
    pub(super) fn read(out: &Output) -> Result<Self, Unreadable> {
        // A folder of the PATH need not be there; stat says so and fails, which is not the last that the script does.
        Self::text(out.ok()?).ok_or_else(|| Unreadable::new("no login came to its end"))
    }

    fn text(text: &str) -> Option<Self> {
        let (user, rest) = text.split_once("= user\n")?.1.split_once("\n= root\n")?;
        let (root, rest) = rest.split_once("\n= folders\n")?;
        let folders = rest.strip_suffix("end\n")?;
        // Somebody may have a shell say something at every login.
        let mut user = user.lines().rev();
        let (core_limit, umask) = (user.next()?, user.next()?);
        let mut root = root.lines().rev();
        let (path, root_umask) = (root.next()?.strip_prefix("PATH ")?, root.next()?);
        let folder = |line: &str| {
            let (mode, rest) = line.split_once(' ')?;
            let (owner, path) = rest.split_once(' ')?;
            Some((path.to_owned(), format!("{mode} {owner}").parse().ok()?))
        };
        let folders = folders.lines().map(folder).collect::<Option<Vec<_>>>()?;
        let known = core_limit == "unlimited" || core_limit.parse::<u64>().is_ok();
        (known && !folders.is_empty()).then_some(Self {
            umasks: [umask.parse().ok()?, root_umask.parse().ok()?],
            core_limit: core_limit.to_owned(),
            path: path.to_owned(),
            folders,
        })
    }
}

impl Fact for LoginSession {
    const ID: &'static str = "security.login-session";

    fn probes() -> Vec<Probe> {
        vec![Self::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        Self::read(&out[0])
    }
}

/// What people make is closed to others as far as declared.
pub struct UmaskAsDeclared;

impl Check for UmaskAsDeclared {
    type Fact = LoginSession;
    type Want = Mode;

    fn about(&self) -> &About {
        &About {
            id: "security.umask-as-declared",
            demand: "the umask of a login, root's or another's, takes away at least the declared rights",
            remedy: "set UMASK in /etc/login.defs, and look for umask in /etc/profile, /etc/profile.d, /etc/bash.bashrc and root's own files",
            key: "security.umask",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Mode> {
        image.security.umask
    }

    fn judge(&self, got: &LoginSession, want: &Mode) -> Verdict {
        let [user, root] = got.umasks;
        let holds = got.umasks.iter().all(|umask| want.0 & !umask.0 == 0);
        Verdict::of(holds, format_args!("{want} or tighter"), format_args!("{user}, root's {root}"))
    }
}

/// Nobody but root says what root's commands are.
pub struct RootPathSafe;

impl RootPathSafe {
    /// What is wrong with a folder of the PATH.
    fn fault(entry: &str, folders: &[(String, Permissions)]) -> Option<String> {
        if !entry.starts_with('/') {
            let words = if entry.is_empty() { "an empty part, which is the current folder" } else { entry };
            return Some(words.to_owned());
        }
        let lies_in = |folder: &str| {
            entry == folder || folder == "/" || entry.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
        };
        let writable = |is: &Permissions| {
            let (group, others) = is.mode.group_or_others_write();
            is.owner != "root" || others || group && is.group != "root"
        };
        let bad = folders.iter().find(|(folder, is)| lies_in(folder) && writable(is));
        bad.map(
            |(folder, is)| if folder == entry { format!("{entry} {is}") } else { format!("{entry} in {folder} {is}") },
        )
    }
}

impl Check for RootPathSafe {
    type Fact = LoginSession;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "security.root-path-safe",
            demand: "root's PATH has no relative or empty part, and nobody but root can write its folders or those they lie in",
            remedy: "look for PATH in /etc/profile, /etc/profile.d, /etc/environment and root's own files",
            key: "security.root_path",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.security.root_path == Some(true)).then_some(())
    }

    fn judge(&self, got: &LoginSession, (): &()) -> Verdict {
        let wrong: Vec<_> = got.path.split(':').filter_map(|entry| Self::fault(entry, &got.folders)).collect();
        let words = if wrong.is_empty() { got.path.clone() } else { wrong.join("; ") };
        Verdict::of(wrong.is_empty(), "root's folders alone", words)
    }
}

#[cfg(test)]
mod tests {
    use super::{LoginSession, RootPathSafe};

    const SAID: &str = "= user\n0022\n0\n= root\nWelcome!\n0027\nPATH /usr/bin:/opt/tool/bin\n= folders\n\
                        755 root:root /\n755 root:root /usr/bin\n755 root:root /usr\n755 root:root /opt/tool/bin\n\
                        755 tool:tool /opt/tool\n755 root:root /opt\nend\n";

    #[test]
    fn what_a_login_says_before_is_passed_over() {
        let session = LoginSession::text(SAID).unwrap();
        assert_eq!(session.umasks.map(|umask| umask.0), [0o022, 0o027]);
        assert_eq!((session.core_limit.as_str(), session.path.as_str()), ("0", "/usr/bin:/opt/tool/bin"));
        assert_eq!(LoginSession::text(&SAID.replace("end\n", "")), None);
        assert_eq!(LoginSession::text(&SAID.replace("0022\n0\n", "0\n")), None);
    }

    #[test]
    fn a_folder_is_as_safe_as_those_that_it_lies_in() {
        let folders = LoginSession::text(SAID).unwrap().folders;
        let fault = |entry| RootPathSafe::fault(entry, &folders);
        assert_eq!(fault("/usr/bin"), None);
        assert_eq!(fault("/opt/tool/bin").unwrap(), "/opt/tool/bin in /opt/tool 0755 tool:tool");
        assert_eq!(fault("/opt/toolbox"), None);
        assert_eq!(fault(".").unwrap(), ".");
        assert!(fault("").unwrap().contains("current folder"));
    }
}
