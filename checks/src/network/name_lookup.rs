//! Where names are looked up: the order in nsswitch.conf, and what stands at /etc/resolv.conf.

use toml::Value;

use super::{Names, ResolvConf};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    outcome::Verdict,
};

/// nsswitch.conf looks up hosts as expected.
pub struct LookupAsExpected;

impl Check for LookupAsExpected {
    type Fact = Names;
    type Want = String;

    fn about(&self) -> &About {
        &About {
            id: "network.lookup-as-expected",
            demand: "nsswitch.conf looks up hosts in the expected places, in the expected order",
            remedy: "mend the line `hosts:` of /etc/nsswitch.conf; packages of libnss-* rewrite it",
            key: "network.lookup",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<String> {
        image.network.lookup.clone()
    }

    fn judge(&self, got: &Names, want: &String) -> Verdict {
        let holds = got.lookup.as_ref() == Some(want);
        Verdict::of(holds, want, got.lookup.as_deref().unwrap_or("no line `hosts:`"))
    }

    fn observed(&self, got: &Names) -> Option<Value> {
        got.lookup.clone().map(Value::from)
    }
}

/// /etc/resolv.conf is the expected link, or a file.
pub struct ResolvConfAsExpected;

impl Check for ResolvConfAsExpected {
    type Fact = Names;
    type Want = String;

    fn about(&self) -> &About {
        &About {
            id: "network.resolv-conf-as-expected",
            demand: "/etc/resolv.conf is a link to the expected file, or a file of its own where that is expected",
            remedy: "`ln -sf TARGET /etc/resolv.conf`; a file of the build there keeps its name servers for ever",
            key: "network.resolv_conf",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<String> {
        image.network.resolv_conf.clone()
    }

    fn judge(&self, got: &Names, want: &String) -> Verdict {
        Verdict::of(got.resolv_conf.to_string() == *want, want, &got.resolv_conf)
    }

    fn observed(&self, got: &Names) -> Option<Value> {
        let found = matches!(got.resolv_conf, ResolvConf::File | ResolvConf::Link(_));
        found.then(|| got.resolv_conf.to_string().into())
    }
}
