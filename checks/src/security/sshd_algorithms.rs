//! sshd's cryptography and its other settings, as sshd itself resolves them.

use std::collections::BTreeMap;

use super::SshdSettings;
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    lists::{allows, some},
    outcome::Verdict,
};

/// sshd offers no weak algorithm.
pub struct SshdAlgorithmsStrong;

impl Check for SshdAlgorithmsStrong {
    type Fact = SshdSettings;
    type Want = BTreeMap<String, Vec<String>>;

    fn about(&self) -> &About {
        &About {
            id: "security.sshd-algorithms-strong",
            demand: "sshd offers none of the ciphers, MACs, key exchanges and key types that are declared weak",
            remedy: "take the algorithm out of Ciphers, MACs, KexAlgorithms or HostKeyAlgorithms; sshd's own defaults are best",
            key: "security.sshd_weak",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<BTreeMap<String, Vec<String>>> {
        image.security.sshd_weak.clone()
    }

    fn judge(&self, got: &SshdSettings, want: &BTreeMap<String, Vec<String>>) -> Verdict {
        let mut wrong = Vec::new();
        let mut count = 0;
        for (keyword, weak) in want {
            let Ok(offered) = got.value(keyword) else {
                wrong.push(format!("sshd -T says nothing of {keyword}"));
                continue;
            };
            let offered: Vec<_> = offered.split(',').filter(|name| !name.is_empty()).collect();
            count += offered.len();
            wrong.extend(offered.iter().filter(|name| allows(weak, name)).map(|name| format!("{keyword} {name}")));
        }
        let none = format!("{count} algorithms, none of them");
        let demand = format!("no weak one of {}", want.keys().cloned().collect::<Vec<_>>().join(", "));
        Verdict::of(wrong.is_empty(), demand, some(&wrong, &none))
    }
}

/// sshd's settings are the declared ones.
pub struct SshdOptionsAsDeclared;

impl Check for SshdOptionsAsDeclared {
    type Fact = SshdSettings;
    type Want = BTreeMap<String, Vec<String>>;

    fn about(&self) -> &About {
        &About {
            id: "security.sshd-options-as-declared",
            demand: "each setting of sshd that is declared has one of its declared values where no Match block applies",
            remedy: "set it in the first file under /etc/ssh/sshd_config.d: the first value found counts",
            key: "security.sshd_options",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<BTreeMap<String, Vec<String>>> {
        image.security.sshd_options.clone()
    }

    fn judge(&self, got: &SshdSettings, want: &BTreeMap<String, Vec<String>>) -> Verdict {
        let mut wrong = Vec::new();
        for (keyword, values) in want {
            match got.value(keyword) {
                Ok(value) if values.iter().any(|one| one == value) => {}
                Ok(value) => wrong.push(format!("{keyword} {value}, declared {}", values.join(" or "))),
                Err(_) => wrong.push(format!("sshd -T says nothing of {keyword}")),
            }
        }
        let none = format!("{} settings, all so", want.len());
        Verdict::of(wrong.is_empty(), format_args!("{} settings as declared", want.len()), some(&wrong, &none))
    }
}
