//! The power button: it is how a platform asks a machine to shut down.

use toml::Value;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// Who listens to the power button, and what they do then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerButton {
    /// What logind does; nothing where it does not run.
    pub action: Option<String>,
    /// How many buttons the kernel knows.
    pub buttons: u32,
}

/// logind is asked whether it runs first: a question over the bus would start it.
const SCRIPT: &str = "systemctl is-active systemd-logind.service || exit 0
busctl get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager HandlePowerKey || exit
grep -c '^N: Name=\"Power Button\"' /proc/bus/input/devices; exit 0";

impl Fact for PowerButton {
    const ID: &'static str = "cloud.power-button";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["sh", "-c", SCRIPT])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let unread = |text: &str| Unreadable::new(format!("not what logind is asked for: {text}"));
        match out[0].ok()?.lines().collect::<Vec<_>>()[..] {
            ["inactive" | "failed"] => Ok(Self { action: None, buttons: 0 }),
            ["active", action, buttons] => {
                let action = action.strip_prefix("s \"").and_then(|rest| rest.strip_suffix('"'));
                Ok(Self {
                    action: Some(action.ok_or_else(|| unread(&out[0].stdout))?.to_owned()),
                    buttons: buttons.parse().map_err(|_| unread(buttons))?,
                })
            }
            _ => Err(unread(out[0].stdout.trim())),
        }
    }
}

/// The power button does what is declared.
pub struct PowerButtonAsDeclared;

impl Check for PowerButtonAsDeclared {
    type Fact = PowerButton;
    type Want = String;

    fn about(&self) -> &About {
        &About {
            id: "cloud.power-button-as-declared",
            demand: "the kernel knows a power button, and logind does what is declared when it is pressed",
            remedy: "do not mask systemd-logind.service, set HandlePowerKey in logind.conf, have the module `button`",
            key: "cloud.power_button",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<String> {
        image.cloud.power_button.clone()
    }

    fn judge(&self, got: &PowerButton, want: &String) -> Verdict {
        let said = match (&got.action, got.buttons) {
            (None, _) => "logind does not run".to_owned(),
            (Some(_), 0) => "the kernel knows no power button".to_owned(),
            (Some(action), _) => action.clone(),
        };
        Verdict::of(said == *want, want, said)
    }

    fn observed(&self, got: &PowerButton) -> Option<Value> {
        got.action.clone().filter(|_| got.buttons > 0).map(Value::from)
    }
}
