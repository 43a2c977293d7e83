//! How passwords are asked and hashed: PAM's files and login.defs.

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    lists::{at_most, some},
    outcome::Verdict,
    probe::{Output, Probe},
};

const DEFS: &str = "/etc/login.defs";

/// The lines of PAM's files, and the method of hashing that login.defs names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginSettings {
    /// The lines of PAM's files, in order.
    pub pam: Vec<PamLine>,
    /// Every `ENCRYPT_METHOD` of login.defs.
    pub methods: Vec<String>,
}

/// One line of a file of PAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PamLine {
    /// The file.
    pub file: String,
    /// `auth`, `account`, `password` or `session`, in lower case.
    pub kind: String,
    /// What its answer means: a word, or pairs in brackets.
    pub control: String,
    /// The module's file, without its folder.
    pub module: String,
    /// What it is told.
    pub options: Vec<String>,
}

impl PamLine {
    /// Reads a line; `None` if it only includes a file.
    fn read(file: &str, line: &str) -> Result<Option<Self>, ()> {
        let line = line.trim_start();
        if line.starts_with('@') {
            return Ok(None);
        }
        let line = line.trim_start_matches('-');
        let (kind, rest) = line.split_once(char::is_whitespace).ok_or(())?;
        let rest = rest.trim_start();
        let (control, rest) = if rest.starts_with('[') {
            let end = rest.find(']').ok_or(())?;
            rest.split_at(end + 1)
        } else {
            rest.split_once(char::is_whitespace).ok_or(())?
        };
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let mut words = rest.split_whitespace();
        let module = words.next().ok_or(())?.rsplit('/').next().unwrap_or_default().to_owned();
        let options = words.map(str::to_owned).collect();
        let (kind, control) = (kind.to_ascii_lowercase(), control.to_ascii_lowercase());
        Ok(Some(Self { file: file.to_owned(), kind, control, module, options }))
    }

    /// What lets somebody in without a password, if this line does.
    fn unasked(&self) -> Option<String> {
        let ends = self.control == "sufficient" || self.control.contains("success=done");
        let option = match self.module.as_str() {
            _ if self.kind != "auth" => None,
            "pam_unix.so" => self.options.iter().find(|option| option.starts_with("nullok")),
            "pam_permit.so" if ends => Some(&self.control),
            _ => None,
        };
        option.map(|option| format!("{} {} {option}", self.file, self.module))
    }

    /// The scheme by which it hashes a new password, where it names one.
    fn scheme(&self) -> Option<&str> {
        let known = |option: &String| match option.as_str() {
            "md5" => Some("md5"),
            "bigcrypt" => Some("des"),
            "sha256" => Some("sha256"),
            "sha512" => Some("sha512"),
            "blowfish" => Some("bcrypt"),
            "yescrypt" => Some("yescrypt"),
            "gost_yescrypt" => Some("gost-yescrypt"),
            _ => None,
        };
        let hashes = self.kind == "password" && self.module == "pam_unix.so";
        if hashes { self.options.iter().find_map(known) } else { None }
    }
}

impl Fact for LoginSettings {
    const ID: &'static str = "security.login-settings";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["grep", "-aHr", "^[[:space:]]*[^#[:space:]]", DEFS, "/etc/pam.d"])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let text = out[0].ok()?;
        let (mut pam, mut methods) = (Vec::new(), Vec::new());
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let bad = || Unreadable::new(format!("grep: {line}"));
            let (file, setting) = line.split_once(':').ok_or_else(bad)?;
            if file == DEFS {
                let mut words = setting.split_whitespace();
                if words.next() == Some("ENCRYPT_METHOD") {
                    methods.push(words.next().unwrap_or_default().trim_matches('"').to_ascii_lowercase());
                }
                continue;
            }
            let mut setting = setting.to_owned();
            while let Some(begun) = setting.strip_suffix('\\') {
                let next = lines.next().and_then(|line| line.strip_prefix(file)?.strip_prefix(':')).ok_or_else(bad)?;
                setting = format!("{begun} {next}");
            }
            pam.extend(PamLine::read(file, &setting).map_err(|()| bad())?);
        }
        if !pam.iter().any(|line| line.kind == "auth") {
            return Err(Unreadable::new("/etc/pam.d: nothing asks who somebody is"));
        }
        Ok(Self { pam, methods })
    }
}

/// PAM lets nobody in without asking.
pub struct PamAsksEverybody;

impl Check for PamAsksEverybody {
    type Fact = LoginSettings;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "security.pam-asks-everybody",
            demand: "no line of PAM takes an empty password or lets everybody in, but those declared",
            remedy: "take `nullok` off the line, or remove it; on Debian `pam-auth-update` writes the common files",
            key: "security.pam_unasked",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        image.security.pam_unasked.clone()
    }

    fn judge(&self, got: &LoginSettings, want: &Vec<String>) -> Verdict {
        let unasked = got.pam.iter().filter_map(PamLine::unasked);
        let stray: Vec<_> = unasked.filter(|line| !want.contains(line)).collect();
        Verdict::of(stray.is_empty(), at_most(want), some(&stray, &format!("no other of {} lines", got.pam.len())))
    }
}

/// New passwords are hashed by a strong scheme.
pub struct PasswordHashingStrong;

impl Check for PasswordHashingStrong {
    type Fact = LoginSettings;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "security.password-hashing-strong",
            demand: "a new password is hashed by one of the expected schemes, whoever sets it",
            remedy: "set ENCRYPT_METHOD in /etc/login.defs, and the same word on pam_unix.so's line of /etc/pam.d: PAM's counts for passwd",
            key: "security.password_hashing",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        image.security.password_hashing.clone()
    }

    fn judge(&self, got: &LoginSettings, want: &Vec<String>) -> Verdict {
        let pam = got.pam.iter().filter_map(|line| Some((line.file.as_str(), line.scheme()?)));
        let all: Vec<_> = got.methods.iter().map(|method| (DEFS, method.as_str())).chain(pam).collect();
        let weak = all.iter().filter(|(_, scheme)| !want.iter().any(|one| one == scheme));
        let weak: Vec<_> = weak.map(|(file, scheme)| format!("{scheme} by {file}")).collect();
        let named: Vec<_> = all.iter().map(|(file, scheme)| format!("{scheme} by {file}")).collect();
        let words = if all.is_empty() { "no scheme is named".to_owned() } else { some(&weak, &named.join(", ")) };
        Verdict::of(weak.is_empty() && !all.is_empty(), want.join(" or "), words)
    }
}

#[cfg(test)]
mod tests {
    use super::PamLine;

    fn line(text: &str) -> PamLine {
        PamLine::read("/etc/pam.d/x", text).unwrap().unwrap()
    }

    #[test]
    fn lines_that_ask_nobody_are_known() {
        let unasked = |text| line(text).unasked();
        assert_eq!(
            unasked("auth\t[success=1 default=ignore]\tpam_unix.so nullok").unwrap(),
            "/etc/pam.d/x pam_unix.so nullok"
        );
        assert_eq!(
            unasked("-auth sufficient /lib/security/pam_permit.so").unwrap(),
            "/etc/pam.d/x pam_permit.so sufficient"
        );
        assert!(unasked("auth [success=done default=ignore] pam_permit.so").is_some());
        assert_eq!(unasked("auth required pam_permit.so"), None);
        assert_eq!(unasked("session sufficient pam_permit.so"), None);
        assert_eq!(unasked("auth sufficient pam_unix.so try_first_pass # nullok"), None);
    }

    #[test]
    fn schemes_are_read_where_passwords_are_set() {
        assert_eq!(line("password [success=1 default=ignore] pam_unix.so obscure yescrypt").scheme(), Some("yescrypt"));
        assert_eq!(line("password sufficient pam_unix.so md5 shadow").scheme(), Some("md5"));
        assert_eq!(line("auth sufficient pam_unix.so md5").scheme(), None);
        assert_eq!(PamLine::read("x", "@include common-auth"), Ok(None));
        assert_eq!(PamLine::read("x", "auth"), Err(()));
    }
}
