//! Locale and keymap, as the files of systemd and of Debian say.

use toml::Value;

use super::small_files::{self, CONSOLE, DEBIAN_LOCALE, KEYBOARD, LOCALE};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
    traits::{Group, Traits},
};

/// The settings of the system's language and keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locale {
    /// `LANG` by the file that sets it.
    pub languages: Vec<(&'static str, String)>,
    /// The keymap by the file that sets it.
    pub keymaps: Vec<(&'static str, String)>,
}

impl Fact for Locale {
    const ID: &'static str = "boot.locale";
    const GROUPS: &'static [Group] = &[Group::System];

    fn probes() -> Vec<Probe> {
        vec![small_files::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let files = small_files::read(&out[0])?;
        // Without a command line there is no kernel, and nothing of it can be told.
        small_files::first(&files, small_files::COMMAND_LINE)?;
        let set = |settings: &[(&'static str, &str)]| {
            let set = settings.iter().filter_map(|(path, name)| {
                let value = small_files::setting(&files, path, name).filter(|value| !value.is_empty())?;
                Some((*path, value.to_owned()))
            });
            set.collect()
        };
        Ok(Self {
            languages: set(&[(LOCALE, "LANG"), (DEBIAN_LOCALE, "LANG")]),
            keymaps: set(&[(CONSOLE, "KEYMAP"), (KEYBOARD, "XKBLAYOUT")]),
        })
    }

    fn tell(&self, traits: &mut Traits) {
        for (name, set) in [("locale", &self.languages), ("keymap", &self.keymaps)] {
            for (_, value) in set {
                traits.put(Group::System, name, value);
            }
        }
    }
}

/// Every file that sets a value sets the wanted one; without any it is the default.
fn verdict(set: &[(&'static str, String)], want: &str, default: &str) -> Verdict {
    let holds = if set.is_empty() { want == default } else { set.iter().all(|(_, value)| value == want) };
    let said: Vec<_> = set.iter().map(|(path, value)| format!("{value} ({path})")).collect();
    Verdict::of(holds, want, if said.is_empty() { format!("{default}, since nothing is set") } else { said.join(", ") })
}

/// The locale is the declared one.
pub struct LocaleExpected;

impl Check for LocaleExpected {
    type Fact = Locale;
    type Want = String;

    fn about(&self) -> &About {
        &About {
            id: "boot.locale-expected",
            demand: "LANG is the expected one, in every file that sets it",
            remedy: "`localectl set-locale LANG=…`; on Debian /etc/default/locale is a link to /etc/locale.conf or agrees with it",
            key: "boot.locale",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<String> {
        image.boot.locale.clone()
    }

    fn judge(&self, got: &Locale, want: &String) -> Verdict {
        verdict(&got.languages, want, "C")
    }

    fn observed(&self, got: &Locale) -> Option<Value> {
        got.languages.first().map(|(_, value)| value.clone().into())
    }
}

/// The keymap is the declared one.
pub struct KeymapExpected;

impl Check for KeymapExpected {
    type Fact = Locale;
    type Want = String;

    fn about(&self) -> &About {
        &About {
            id: "boot.keymap-expected",
            demand: "the console's keymap is the expected one; the kernel's own is us",
            remedy: "`localectl set-keymap …`, or take the setting away for the kernel's own",
            key: "boot.keymap",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<String> {
        image.boot.keymap.clone()
    }

    fn judge(&self, got: &Locale, want: &String) -> Verdict {
        verdict(&got.keymaps, want, "us")
    }

    fn observed(&self, got: &Locale) -> Option<Value> {
        Some(got.keymaps.first().map_or("us", |(_, value)| value).into())
    }
}
