//! The services of a machine that OpenRC started, as `rc-status -a` lists them by runlevel.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    check::{About, Check, Cost, Need},
    console::plain,
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// OpenRC's services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RcServices {
    /// In the order told; one that is in two runlevels stands twice.
    pub services: Vec<RcService>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RcService {
    /// Its name.
    pub name: String,
    /// The runlevel it is listed under; `manual`, `needed/wanted` and `hotplugged` are not real ones.
    pub runlevel: String,
    /// `started`, `stopped`, `crashed`, `unsupervised`, `failed`, `inactive` …
    pub state: String,
    /// How often its supervisor started it again, where it has one.
    pub restarts: Option<u32>,
}

/// What is expected of OpenRC's services.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RcExpected {
    /// The runlevels in which every service has to be started.
    pub started: Vec<String>,
    /// How often a supervisor may have started a service again.
    pub restarts: u32,
}

impl Fact for RcServices {
    const ID: &'static str = "boot.rc-services";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["rc-status", "-a"])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let mut services = Vec::new();
        let mut runlevel = None;
        for line in out[0].ok()?.lines() {
            let line = plain(line);
            // ` * Caching service dependencies ... [ ok ]`
            if line.trim().is_empty() || line.trim_start().starts_with("* ") {
                continue;
            }
            if let Some((_, name)) = line.split_once("Runlevel: ").filter(|_| !line.starts_with(' ')) {
                runlevel = Some(name.trim().to_owned());
                continue;
            }
            let service = runlevel.as_ref().and_then(|runlevel| service(&line, runlevel));
            services.push(service.ok_or_else(|| Unreadable::new(format!("not a line of rc-status: {line}")))?);
        }
        if services.is_empty() {
            return Err(Unreadable::new("rc-status lists no service"));
        }
        Ok(Self { services })
    }
}

/// ` name   [  started  ]`, or of a supervised one ` name   [  started 2 day(s) 06:11:21 (0) ]`.
fn service(line: &str, runlevel: &str) -> Option<RcService> {
    let (name, state) = line.trim_end().strip_prefix(' ')?.strip_suffix(']')?.rsplit_once('[')?;
    let mut words = state.split_whitespace();
    let word = words.next()?;
    let count = words.next_back().map(|count| count.strip_prefix('(')?.strip_suffix(')')?.parse().ok());
    let name = name.trim();
    let is_state = word.bytes().all(|letter| letter.is_ascii_lowercase());
    if name.is_empty() || name.contains(' ') || !is_state || count == Some(None) {
        return None;
    }
    Some(RcService {
        name: name.to_owned(),
        runlevel: runlevel.to_owned(),
        state: word.to_owned(),
        restarts: count.flatten(),
    })
}

/// Every service of the runlevels that a boot goes through is started, and none crashed.
pub struct ServicesStarted;

impl Check for ServicesStarted {
    type Fact = RcServices;
    type Want = RcExpected;

    fn about(&self) -> &About {
        &About {
            id: "boot.services-started",
            demand: "OpenRC started every service of the boot's runlevels, none crashed, and none is started again and again",
            remedy: "`rc-service NAME restart` and its log say why; `rc-update del NAME` for what the image does not need",
            key: "boot.rc",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<RcExpected> {
        image.boot.rc.clone()
    }

    fn judge(&self, got: &RcServices, want: &RcExpected) -> Verdict {
        let wrong = got.services.iter().filter(|service| {
            let due = want.started.contains(&service.runlevel) && service.state != "started";
            let dead = matches!(service.state.as_str(), "crashed" | "unsupervised" | "failed");
            due || dead || service.restarts.is_some_and(|restarts| restarts > want.restarts)
        });
        let wrong: Vec<_> = wrong
            .map(|service| match service.restarts {
                Some(restarts) => format!("{} {} ({restarts} restarts)", service.name, service.state),
                None => format!("{} {}", service.name, service.state),
            })
            .collect();
        let said = if wrong.is_empty() { format!("{} services", got.services.len()) } else { wrong.join(", ") };
        Verdict::of(wrong.is_empty(), format_args!("all of {} started", want.started.join(", ")), said)
    }
}

#[cfg(test)]
mod tests {
    use super::service;

    #[test]
    fn supervised_services_tell_their_time_and_restarts() {
        let read = |line: &str| service(line, "default").map(|service| (service.name, service.state, service.restarts));
        let is = |name: &str, state: &str, restarts| Some((name.to_owned(), state.to_owned(), restarts));
        assert_eq!(read(" sshd            [  started  ]"), is("sshd", "started", None));
        assert_eq!(read(" agetty.tty1     [  started 2 day(s) 06:11:21 (3) ]"), is("agetty.tty1", "started", Some(3)));
        assert_eq!(read(" net.eth0        [ inactive  ]"), is("net.eth0", "inactive", None));
        assert_eq!(read(" broken          [failed]"), is("broken", "failed", None));
        for line in ["sshd [ started ]", " sshd", " [ started ]", " a b [ started ]", " sshd [ started 00:01:02 ]"] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
