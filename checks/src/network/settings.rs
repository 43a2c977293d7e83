//! The kernel's settings of the network. What stands under `all` and what stands under a card are put together as the
//! kernel does it, since for half of them a `0` under `all` changes nothing.

use std::collections::BTreeMap;

use super::card::is_card;
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Exit, Output, Probe},
    traits::{Group, Traits},
};

/// Keys are among them in no file that is read.
const SCRIPT: &str = "cd /proc/sys/net && exec grep -aH '' core/bpf_jit_harden core/default_qdisc \
ipv4/icmp_echo_ignore_all ipv4/icmp_echo_ignore_broadcasts ipv4/icmp_ignore_bogus_error_responses ipv4/ip_forward \
ipv4/ip_nonlocal_bind ipv4/ip_unprivileged_port_start ipv4/tcp_congestion_control ipv4/tcp_rfc1337 \
ipv4/tcp_syncookies ipv4/tcp_timestamps ipv4/conf/*/accept_local ipv4/conf/*/accept_redirects \
ipv4/conf/*/accept_source_route ipv4/conf/*/arp_announce ipv4/conf/*/arp_filter ipv4/conf/*/arp_ignore \
ipv4/conf/*/forwarding ipv4/conf/*/log_martians ipv4/conf/*/proxy_arp ipv4/conf/*/rp_filter \
ipv4/conf/*/secure_redirects ipv4/conf/*/send_redirects ipv6/conf/*/accept_ra ipv6/conf/*/accept_redirects \
ipv6/conf/*/accept_source_route ipv6/conf/*/addr_gen_mode ipv6/conf/*/autoconf ipv6/conf/*/disable_ipv6 \
ipv6/conf/*/forwarding ipv6/conf/*/use_tempaddr";

/// Which part of a name is the interface's: the fourth of `net.ipv4.conf.eth0.rp_filter`.
const INTERFACE: usize = 3;

/// The settings by name, as in `net.ipv4.conf.all.rp_filter`; a dot in an interface's name is a slash here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    pub(super) fn probe() -> Probe {
        Probe::root(["sh", "-c", SCRIPT])
    }

    pub(super) fn read(out: &Output) -> Result<Self, Unreadable> {
        let text = out.whole()?;
        // A kernel without IPv6 lacks half of them, an older one a few.
        let odd = out.stderr.lines().find(|line| !line.ends_with(": No such file or directory"));
        if let Some(line) = odd.filter(|line| !line.trim().is_empty()) {
            return Err(Unreadable::new(line.trim()));
        }
        let mut settings = BTreeMap::new();
        for line in text.lines() {
            let (path, value) =
                line.split_once(':').ok_or_else(|| Unreadable::new(format!("/proc/sys/net: {line}")))?;
            let name: String = path
                .chars()
                .map(|sign| {
                    if sign == '/' {
                        '.'
                    } else if sign == '.' {
                        '/'
                    } else {
                        sign
                    }
                })
                .collect();
            settings.insert(format!("net.{name}"), words(value));
        }
        match out.exit {
            Exit::Code(0 | 2) if settings.contains_key("net.ipv4.ip_forward") => Ok(Self(settings)),
            exit => Err(Unreadable::new(format!("/proc/sys/net: {exit}, and nothing of IPv4"))),
        }
    }

    /// The value of a setting, with single blanks between its words.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The interfaces that have settings of a family (`ipv4`, `ipv6`), the loopback left out.
    pub(super) fn interfaces(&self, family: &str) -> Vec<&str> {
        let inside = format!("net.{family}.conf.");
        let names = self.0.keys().filter_map(|name| name.strip_prefix(&inside)?.split('.').next());
        let mut names: Vec<_> = names.filter(|name| !["all", "default", "lo"].contains(name)).collect();
        names.dedup();
        names
    }

    /// What holds for an interface: IPv4 puts its own value and that of `all` together, IPv6 takes its own.
    #[must_use]
    pub fn in_effect(&self, family: &str, interface: &str, setting: &str) -> Option<String> {
        let of = |whose: &str, setting: &str| self.get(&format!("net.{family}.conf.{whose}.{setting}"));
        let own = of(interface, setting)?;
        if family != "ipv4" {
            return Some(own.to_owned());
        }
        let forwards = of(interface, "forwarding") != Some("0");
        let (Some(all), Ok(mine)) = (of("all", setting)?.parse::<i64>().ok(), own.parse::<i64>()) else {
            return Some(own.to_owned());
        };
        let together = match Together::of(setting, forwards) {
            Together::Own => mine,
            Together::Larger => mine.max(all),
            Together::Both => (mine != 0 && all != 0).into(),
            Together::Either => (mine != 0 || all != 0).into(),
        };
        Some(together.to_string())
    }
}

fn words(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How IPv4 puts a card's value and that of `all` together, by include/linux/inetdevice.h of Linux.
#[derive(Clone, Copy)]
enum Together {
    Own,
    Larger,
    Both,
    Either,
}

impl Together {
    fn of(setting: &str, forwards: bool) -> Self {
        match setting {
            "arp_accept" | "arp_announce" | "arp_ignore" | "arp_notify" | "rp_filter" => Self::Larger,
            "accept_redirects" if forwards => Self::Both,
            "accept_source_route" | "bc_forwarding" | "bootp_relay" | "mc_forwarding" => Self::Both,
            "accept_local" | "accept_redirects" | "arp_filter" | "log_martians" | "proxy_arp" | "secure_redirects"
            | "send_redirects" | "shared_media" | "src_valid_mark" => Self::Either,
            _ => Self::Own,
        }
    }
}

impl Fact for Settings {
    const ID: &'static str = "network.settings";
    const GROUPS: &'static [Group] = &[Group::Sysctl];

    fn probes() -> Vec<Probe> {
        vec![Self::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        Self::read(&out[0])
    }

    fn tell(&self, traits: &mut Traits) {
        for (name, value) in &self.0 {
            let parts = name.split('.').enumerate();
            let parts = parts.map(|(at, part)| if at == INTERFACE && is_card(part) { "*" } else { part });
            traits.put(Group::Sysctl, parts.collect::<Vec<_>>().join("."), value);
        }
    }
}

/// The kernel's settings of the network are the expected ones.
pub struct SettingsAsExpected;

impl Check for SettingsAsExpected {
    type Fact = Settings;
    type Want = BTreeMap<String, String>;

    fn about(&self) -> &About {
        &About {
            id: "network.settings-as-expected",
            demand: "the kernel's settings of the network have the expected values, as they are in effect on each card",
            remedy: "look for the setting in /etc/sysctl.d, /usr/lib/sysctl.d and the network manager's configuration; \
                     set it there for `all` and for `default`",
            key: "network.settings",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Self::Want> {
        (!image.network.settings.is_empty()).then(|| image.network.settings.clone())
    }

    fn judge(&self, got: &Settings, want: &Self::Want) -> Verdict {
        let mut amiss = Vec::new();
        for (name, value) in want {
            let found = found(got, name);
            if found.is_empty() {
                amiss.push(format!("no {name}"));
            }
            let others = found.iter().filter(|(_, found)| *found != words(value));
            amiss.extend(others.map(|(name, found)| format!("{name} is {found}")));
        }
        let want: Vec<_> = want.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let words = if amiss.is_empty() { "all as expected".to_owned() } else { amiss.join(", ") };
        Verdict::of(amiss.is_empty(), want.join(", "), words)
    }
}

/// The settings that a name of an expectation means: with `*` for the interface, what is in effect on each.
fn found(got: &Settings, name: &str) -> Vec<(String, String)> {
    let starred = name.strip_prefix("net.").and_then(|rest| rest.split_once(".conf.*."));
    let Some((family, setting)) = starred else {
        return got.get(name).map(|value| (name.to_owned(), value.to_owned())).into_iter().collect();
    };
    let on = |card: &str| Some((format!("net.{family}.conf.{card}.{setting}"), got.in_effect(family, card, setting)?));
    got.interfaces(family).into_iter().filter_map(on).collect()
}

#[cfg(test)]
mod tests {
    use super::{Settings, words};
    use crate::{Fact as _, Traits};

    fn settings(lines: &[(&str, &str)]) -> Settings {
        Settings(lines.iter().map(|(name, value)| (format!("net.ipv4.conf.{name}"), words(value))).collect())
    }

    #[test]
    fn ipv4_puts_all_and_the_card_together_in_four_ways() {
        let got = settings(&[
            ("all.rp_filter", "1"),
            ("eth0.rp_filter", "2"),
            ("all.accept_source_route", "0"),
            ("eth0.accept_source_route", "1"),
            ("all.send_redirects", "0"),
            ("eth0.send_redirects", "1"),
            ("all.forwarding", "0"),
            ("eth0.forwarding", "1"),
        ]);
        let of = |setting| got.in_effect("ipv4", "eth0", setting).unwrap();
        let all = [of("rp_filter"), of("accept_source_route"), of("send_redirects"), of("forwarding")];
        assert_eq!(all, ["2", "0", "1", "1"]);
        assert_eq!(got.interfaces("ipv4"), ["eth0"]);
        assert_eq!(got.in_effect("ipv4", "eth0", "no_such"), None);
    }

    #[test]
    fn a_card_is_told_by_no_name() {
        let mut traits = Traits::default();
        settings(&[("all.rp_filter", "0"), ("enp0s2.rp_filter", "1"), ("wg0.rp_filter", "2")]).tell(&mut traits);
        let names: Vec<_> = traits.sections().flat_map(|(_, section)| section.values.into_keys()).collect();
        assert_eq!(
            names,
            ["*.rp_filter", "all.rp_filter", "wg0.rp_filter"].map(|name| format!("net.ipv4.conf.{name}"))
        );
    }

    #[test]
    fn a_card_that_forwards_takes_redirects_only_where_both_allow_it() {
        let redirects = |forwarding| {
            let lines =
                [("all.accept_redirects", "0"), ("eth0.accept_redirects", "1"), ("eth0.forwarding", forwarding)];
            settings(&lines).in_effect("ipv4", "eth0", "accept_redirects").unwrap()
        };
        assert_eq!((redirects("0").as_str(), redirects("1").as_str()), ("1", "0"));
    }
}
