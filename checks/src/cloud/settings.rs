//! What cloud-init's configuration has to say.

use toml::Value;

use crate::{
    check::{About, Check, Cost, Need},
    cloud::Config,
    expect::Expectation,
    outcome::Verdict,
};

/// A check of one switch of the configuration.
pub struct Switch {
    about: About,
    want: fn(&Expectation) -> Option<bool>,
    got: fn(&Config) -> bool,
}

const fn about(id: &'static str, key: &'static str, demand: &'static str, remedy: &'static str) -> About {
    About { id, demand, remedy, key, cost: Cost::Deep, needs: &[Need::Settled] }
}

/// A clone does not take itself for the machine that it was made of.
pub static CACHE_AS_DECLARED: Switch = Switch {
    about: about(
        "cloud.cache-as-declared",
        "cloud.keeps_cache",
        "cloud-init forgets the instance at a boot with another data source (manual_cache_clean), or not, as declared",
        "take `manual_cache_clean` out of /etc/cloud/cloud.cfg.d",
    ),
    want: |image| image.cloud.keeps_cache,
    got: |config| config.manual_cache_clean,
};

/// The host name comes from the platform, or does not.
pub static HOSTNAME_AS_DECLARED: Switch = Switch {
    about: about(
        "cloud.hostname-as-declared",
        "cloud.preserve_hostname",
        "the platform's host name is taken over, or the image's is preserved, as declared",
        "set `preserve_hostname` in /etc/cloud/cloud.cfg",
    ),
    want: |image| image.cloud.preserve_hostname,
    got: |config| config.preserve_hostname,
};

/// No two machines have the same host keys.
pub static HOST_KEYS_REPLACED: Switch = Switch {
    about: about(
        "cloud.host-keys-replaced",
        "cloud.ssh_deletekeys",
        "host keys that an image brings are replaced at the first boot of a machine (ssh_deletekeys)",
        "take `ssh_deletekeys: false` out of /etc/cloud/cloud.cfg.d",
    ),
    want: |image| image.cloud.ssh_deletekeys,
    got: |config| config.ssh_deletekeys,
};

/// The vendor of the platform runs what it likes, or does not.
pub static VENDOR_DATA_AS_DECLARED: Switch = Switch {
    about: about(
        "cloud.vendor-data-as-declared",
        "cloud.vendor_data",
        "what the platform's vendor hands out is carried out, or not, as declared",
        "set `vendor_data: {enabled: …}` in /etc/cloud/cloud.cfg.d",
    ),
    want: |image| image.cloud.vendor_data,
    got: |config| config.vendor_data,
};

impl Check for Switch {
    type Fact = Config;
    type Want = bool;

    fn about(&self) -> &About {
        &self.about
    }

    fn want(&self, image: &Expectation) -> Option<bool> {
        (self.want)(image)
    }

    fn judge(&self, got: &Config, want: &bool) -> Verdict {
        let word = |is: bool| if is { "on" } else { "off" };
        let got = (self.got)(got);
        Verdict::of(got == *want, word(*want), word(got))
    }

    fn observed(&self, got: &Config) -> Option<Value> {
        Some((self.got)(got).into())
    }
}

/// The data sources are the declared ones.
pub struct DatasourcesAsDeclared;

impl Check for DatasourcesAsDeclared {
    type Fact = Config;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        const ABOUT: About = about(
            "cloud.datasources-as-declared",
            "cloud.datasources",
            "cloud-init looks for the declared data sources, in that order",
            "set `datasource_list` in /etc/cloud/cloud.cfg.d; the file that comes last counts",
        );
        &ABOUT
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        image.cloud.datasources.clone()
    }

    fn judge(&self, got: &Config, want: &Vec<String>) -> Verdict {
        Verdict::of(got.datasources == *want, want.join(", "), got.datasources.join(", "))
    }

    fn observed(&self, got: &Config) -> Option<Value> {
        Some(got.datasources.clone().into())
    }
}

/// The user that is made by default is the declared one.
pub struct DefaultUserAsDeclared;

impl Check for DefaultUserAsDeclared {
    type Fact = Config;
    type Want = String;

    fn about(&self) -> &About {
        const ABOUT: About = about(
            "cloud.default-user-as-declared",
            "cloud.default_user",
            "the user that cloud-init makes by default has the declared name",
            "set `system_info: {default_user: {name: …}}` in /etc/cloud/cloud.cfg",
        );
        &ABOUT
    }

    fn want(&self, image: &Expectation) -> Option<String> {
        image.cloud.default_user.clone()
    }

    fn judge(&self, got: &Config, want: &String) -> Verdict {
        let got = got.default_user.as_deref();
        Verdict::of(got == Some(want), want, got.unwrap_or("none"))
    }

    fn observed(&self, got: &Config) -> Option<Value> {
        got.default_user.clone().map(Value::from)
    }
}

/// The network's configuration is written for the network manager that the image uses.
pub struct RendererAsDeclared;

impl Check for RendererAsDeclared {
    type Fact = Config;
    type Want = String;

    fn about(&self) -> &About {
        const ABOUT: About = about(
            "cloud.renderer-as-declared",
            "cloud.renderer",
            "cloud-init writes the network's configuration for the declared network manager",
            "remove the other network managers, or set `system_info: {network: {renderers: […]}}`",
        );
        &ABOUT
    }

    fn want(&self, image: &Expectation) -> Option<String> {
        image.cloud.renderer.clone()
    }

    fn judge(&self, got: &Config, want: &String) -> Verdict {
        let got = got.renderer.as_deref();
        Verdict::of(got == Some(want), want, got.unwrap_or("none that is installed"))
    }

    fn observed(&self, got: &Config) -> Option<Value> {
        got.renderer.clone().map(Value::from)
    }
}

/// The root partition and its file system grow with the disk.
pub struct GrowsWithTheDisk;

impl Check for GrowsWithTheDisk {
    type Fact = Config;
    type Want = bool;

    fn about(&self) -> &About {
        const ABOUT: About = about(
            "cloud.growth-as-declared",
            "cloud.grows",
            "cloud-init grows the root partition and what is on it, with a program that is there, or does not, as declared",
            "list growpart and resizefs in cloud_init_modules, leave their modes on, install cloud-guest-utils",
        );
        &ABOUT
    }

    fn want(&self, image: &Expectation) -> Option<bool> {
        image.cloud.grows
    }

    fn judge(&self, got: &Config, want: &bool) -> Verdict {
        let off = |value: &str| ["off", "false", "no", "none"].contains(&value.to_lowercase().as_str());
        let module = |name: &str| got.init_modules.iter().any(|module| module == name);
        let hindrances: Vec<_> = [
            (!module("growpart"), "growpart is not among cloud_init_modules".to_owned()),
            (!module("resizefs"), "resizefs is not among cloud_init_modules".to_owned()),
            (off(&got.growpart_mode), format!("growpart's mode is {}", got.growpart_mode)),
            (off(&got.resize_rootfs), format!("resize_rootfs is {}", got.resize_rootfs)),
            (got.growpart_program.is_none(), "no program growpart".to_owned()),
        ]
        .into_iter()
        .filter_map(|(is, why)| is.then_some(why))
        .collect();
        let said = if hindrances.is_empty() { "grows".to_owned() } else { hindrances.join(", ") };
        Verdict::of(hindrances.is_empty() == *want, if *want { "grows" } else { "does not grow" }, said)
    }
}
