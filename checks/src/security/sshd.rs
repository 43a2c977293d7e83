//! sshd's settings as sshd itself resolves them, where no Match block applies.
//!
//! `sshd -T` leaves Match blocks out: [`super::SshdMatch`] looks at those.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use toml::Value;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
    traits::{Group, Traits},
};

/// The settings, by keyword in lower case. A keyword that is printed more than once keeps its first value, as sshd does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshdSettings(BTreeMap<String, String>, Vec<(String, String)>);

/// `PermitRootLogin`, from the tightest to the loosest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RootLogin {
    /// Never.
    No,
    /// With a key that is bound to a command.
    ForcedCommandsOnly,
    /// With a key; sshd before 7.0, and some after, print it as `without-password`.
    ProhibitPassword,
    /// With a password too.
    Yes,
}

impl RootLogin {
    /// Reads a value of `PermitRootLogin`.
    pub(crate) fn read(value: &str) -> Result<Self, Unreadable> {
        match value.to_ascii_lowercase().as_str() {
            "no" => Ok(Self::No),
            "forced-commands-only" => Ok(Self::ForcedCommandsOnly),
            "prohibit-password" | "without-password" => Ok(Self::ProhibitPassword),
            "yes" => Ok(Self::Yes),
            other => Err(Unreadable::new(format!("sshd: permitrootlogin {other}"))),
        }
    }
}

impl fmt::Display for RootLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::No => "no",
            Self::ForcedCommandsOnly => "forced-commands-only",
            Self::ProhibitPassword => "prohibit-password",
            Self::Yes => "yes",
        })
    }
}

impl SshdSettings {
    /// Reads what `sshd -T` printed.
    ///
    /// # Errors
    /// [`Unreadable`] if it does not say what decides about logins.
    pub(crate) fn read(text: &str) -> Result<Self, Unreadable> {
        let (mut settings, mut lines) = (BTreeMap::new(), Vec::new());
        for line in text.lines() {
            let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
            let (keyword, value) = (keyword.to_ascii_lowercase(), value.trim().to_owned());
            lines.push((keyword.clone(), value.clone()));
            settings.entry(keyword).or_insert(value);
        }
        let settings = Self(settings, lines);
        settings.root_login()?;
        settings.password_login()?;
        Ok(settings)
    }

    /// The same with the settings of a Match block laid over it.
    pub(crate) fn with(&self, over: &[(String, String)]) -> Self {
        let mut settings = self.clone();
        // The first value inside a block counts, so it is laid on last.
        settings.0.extend(over.iter().rev().cloned());
        settings
    }

    /// Whether root gets in.
    pub(crate) fn root_login(&self) -> Result<RootLogin, Unreadable> {
        RootLogin::read(self.value("permitrootlogin")?)
    }

    /// How somebody gets in with nothing but a password; `None` if nobody does.
    pub(crate) fn password_login(&self) -> Result<Option<&'static str>, Unreadable> {
        let password = self.yes("passwordauthentication")?;
        // Before 8.7 the keyword was another; without PAM nobody answers for it on Linux.
        let interactive =
            self.yes("kbdinteractiveauthentication").or_else(|_| self.yes("challengeresponseauthentication"))?;
        let interactive = interactive && self.yes("usepam").unwrap_or(false);
        let methods = self.0.get("authenticationmethods").map_or("any", String::as_str);
        let open = |method: &str| match method.split(':').next() {
            Some("password") => password.then_some("passwordauthentication yes"),
            Some("keyboard-interactive") => interactive.then_some("kbdinteractiveauthentication yes, by PAM"),
            _ => None,
        };
        if methods == "any" {
            return Ok(open("password").or_else(|| open("keyboard-interactive")));
        }
        let lists = methods.split_whitespace().map(|list| list.split(',').map(open).collect::<Option<Vec<_>>>());
        Ok(lists.flatten().find_map(|ways| ways.first().copied()))
    }

    /// What sshd says of a keyword.
    pub(crate) fn value(&self, keyword: &str) -> Result<&str, Unreadable> {
        self.0
            .get(keyword)
            .map(String::as_str)
            .ok_or_else(|| Unreadable::new(format!("sshd -T says nothing of {keyword}")))
    }

    fn yes(&self, keyword: &str) -> Result<bool, Unreadable> {
        match self.value(keyword)? {
            "yes" => Ok(true),
            "no" => Ok(false),
            other => Err(Unreadable::new(format!("sshd: {keyword} {other}"))),
        }
    }

    /// The methods that sshd demands, where they are not just any.
    pub(crate) fn methods(&self) -> Option<&str> {
        self.0.get("authenticationmethods").map(String::as_str).filter(|methods| *methods != "any")
    }
}

impl Fact for SshdSettings {
    const ID: &'static str = "security.sshd-settings";
    const GROUPS: &'static [Group] = &[Group::Sshd];

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["sshd", "-T"])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        Self::read(out[0].ok()?)
    }

    fn tell(&self, traits: &mut Traits) {
        // Ports, addresses and users may stand in lines of their own.
        for (keyword, value) in &self.1 {
            traits.put(Group::Sshd, keyword, value);
        }
    }
}

/// SSH lets root in as expected, and no further and no less.
pub struct RootLoginAsExpected;

impl Check for RootLoginAsExpected {
    type Fact = SshdSettings;
    type Want = RootLogin;

    fn about(&self) -> &About {
        &About {
            id: "security.root-login-as-expected",
            demand: "sshd's PermitRootLogin is the expected one of its four values",
            remedy: "set PermitRootLogin in the first file under /etc/ssh/sshd_config.d: the first value found counts",
            key: "security.root_login",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<RootLogin> {
        image.security.root_login
    }

    fn judge(&self, got: &SshdSettings, want: &RootLogin) -> Verdict {
        let got = got.root_login();
        let words = got.as_ref().map_or_else(ToString::to_string, |value| format!("permitrootlogin {value}"));
        Verdict::of(got.as_ref() == Ok(want), format_args!("permitrootlogin {want}"), words)
    }

    fn observed(&self, got: &SshdSettings) -> Option<Value> {
        got.root_login().ok().map(|value| value.to_string().into())
    }
}

/// SSH lets somebody in by a password alone, or nobody, as expected.
pub struct PasswordLoginAsExpected;

impl Check for PasswordLoginAsExpected {
    type Fact = SshdSettings;
    type Want = bool;

    fn about(&self) -> &About {
        &About {
            id: "security.password-login-as-expected",
            demand: "a password alone opens an SSH session only where that is expected",
            remedy: "set PasswordAuthentication no and KbdInteractiveAuthentication no, or AuthenticationMethods publickey",
            key: "security.password_login",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<bool> {
        image.security.password_login
    }

    fn judge(&self, got: &SshdSettings, want: &bool) -> Verdict {
        let way = got.password_login().ok().flatten();
        let words = match (way, got.methods()) {
            (Some(way), _) => way.to_owned(),
            (None, Some(methods)) => format!("no login by password alone: authenticationmethods {methods}"),
            (None, None) => "no login by password alone".to_owned(),
        };
        let demand = if *want { "login by password" } else { "no login by password alone" };
        Verdict::of(way.is_some() == *want, demand, words)
    }

    fn observed(&self, got: &SshdSettings) -> Option<Value> {
        got.password_login().ok().map(|way| way.is_some().into())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::SshdSettings;

    fn settings(lines: &[(&str, &str)]) -> SshdSettings {
        let base = [("passwordauthentication", "no"), ("kbdinteractiveauthentication", "no"), ("usepam", "yes")];
        let all = base.iter().chain(lines).map(|(keyword, value)| ((*keyword).to_owned(), (*value).to_owned()));
        SshdSettings(all.collect::<BTreeMap<_, _>>(), Vec::new())
    }

    #[test]
    fn a_password_counts_only_where_it_is_enough() {
        let login = |lines: &[(&str, &str)]| settings(lines).password_login().unwrap().is_some();
        let (password, interactive) = (("passwordauthentication", "yes"), ("kbdinteractiveauthentication", "yes"));
        assert!(!login(&[]));
        assert!(login(&[password]));
        assert!(login(&[interactive]));
        assert!(!login(&[interactive, ("usepam", "no")]));
        assert!(!login(&[password, ("authenticationmethods", "publickey")]));
        assert!(!login(&[password, ("authenticationmethods", "publickey,password")]));
        assert!(login(&[password, ("authenticationmethods", "publickey password")]));
        assert!(login(&[interactive, ("authenticationmethods", "publickey keyboard-interactive:pam")]));
        assert!(!login(&[interactive, ("authenticationmethods", "password")]));
    }
}
