//! Interfaces with their addresses, and default routes: what carries the machine's traffic.
//!
//! Routes are read from /proc, since one grep of two files is cheaper than a second and a third `ip`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Interface;
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    files::Files,
    outcome::Verdict,
    probe::{Output, Probe},
};

const ROUTE: &str = "/proc/net/route";
const ROUTE6: &str = "/proc/net/ipv6_route";
/// `RTF_UP` of the kernel's route flags.
const UP: u32 = 0x1;
/// `RTF_REJECT`: a route that refuses, as IPv6's null entry on `lo` does.
const REJECT: u32 = 0x200;

/// The interfaces and the default routes of the main tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressing {
    /// In the order of `ip addr`.
    pub interfaces: Vec<Interface>,
    /// IPv4 first, each in the order of the kernel.
    pub default_routes: Vec<DefaultRoute>,
}

/// A default route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultRoute {
    /// The interface it leaves by.
    pub interface: String,
    /// Whether it is for IPv6.
    pub v6: bool,
}

/// How network interfaces are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Naming {
    /// By the kernel, in the order found: `eth0`. With several cards that order may change from boot to boot.
    Kernel,
    /// By where the card sits or what it is: `enp0s2`, `ens3`.
    Predictable,
}

impl Fact for Addressing {
    const ID: &'static str = "network.addressing";

    fn probes() -> Vec<Probe> {
        vec![Interface::probe(), Probe::root(["grep", "-aH", "", ROUTE, ROUTE6])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let interfaces = Interface::read(&out[0])?;
        let files = Files::parse(&out[1], &[ROUTE, ROUTE6])?;
        let table = files.lines(ROUTE).ok_or_else(|| Unreadable::new(format!("{ROUTE}: no such file")))?;
        let mut default_routes = default_routes(table)?;
        default_routes.extend(default_routes6(files.lines(ROUTE6).unwrap_or_default())?);
        Ok(Self { interfaces, default_routes })
    }
}

fn default_routes(table: &[String]) -> Result<Vec<DefaultRoute>, Unreadable> {
    let Some((header, rows)) = table.split_first().filter(|(header, _)| header.starts_with("Iface\tDestination"))
    else {
        return Err(Unreadable::new(format!("{ROUTE}: no header")));
    };
    let columns = header.split('\t').count();
    let mut routes = Vec::new();
    for row in rows {
        let cells: Vec<_> = row.split('\t').map(str::trim).collect();
        let bad = || Unreadable::new(format!("{ROUTE}: {row}"));
        if cells.len() < columns.min(8) {
            return Err(bad());
        }
        let flags = u32::from_str_radix(cells[3], 16).map_err(|_| bad())?;
        if cells[1] == "00000000" && cells[7] == "00000000" && leads_out(flags) {
            routes.push(DefaultRoute { interface: cells[0].to_owned(), v6: false });
        }
    }
    Ok(routes)
}

fn default_routes6(rows: &[String]) -> Result<Vec<DefaultRoute>, Unreadable> {
    let mut routes = Vec::new();
    for row in rows {
        let cells: Vec<_> = row.split_whitespace().collect();
        let bad = || Unreadable::new(format!("{ROUTE6}: {row}"));
        let [to, prefix, .., flags, interface] = cells[..] else { return Err(bad()) };
        if cells.len() != 10 || to.len() != 32 {
            return Err(bad());
        }
        let flags = u32::from_str_radix(flags, 16).map_err(|_| bad())?;
        if prefix == "00" && leads_out(flags) && interface != "lo" {
            routes.push(DefaultRoute { interface: interface.to_owned(), v6: true });
        }
    }
    Ok(routes)
}

fn leads_out(flags: u32) -> bool {
    flags & UP != 0 && flags & REJECT == 0
}

impl Addressing {
    fn address_for(&self, route: &DefaultRoute) -> Option<&str> {
        let by = self.interfaces.iter().find(|interface| interface.name == route.interface && interface.up)?;
        by.global.iter().find(|address| address.contains(':') == route.v6).map(String::as_str)
    }
}

/// An interface is up with a global address and the default route of the same family.
pub struct UplinkUp;

impl Check for UplinkUp {
    type Fact = Addressing;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "network.uplink-up",
            demand: "an interface is up, with a global address and a default route of the same family",
            remedy: "let the network configuration match any card (`Type=ether`, `en*`), not the build machine's name or MAC",
            key: "network.uplink",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.network.uplink == Some(true)).then_some(())
    }

    fn judge(&self, got: &Addressing, (): &()) -> Verdict {
        let want = "an interface up with a global address and a default route";
        let uplink = got.default_routes.iter().find_map(|route| Some((route, got.address_for(route)?)));
        if let Some((route, address)) = uplink {
            return Verdict::of(true, want, format_args!("{} {address}, default route", route.interface));
        }
        let routes = match got.default_routes.as_slice() {
            [] => "no default route".to_owned(),
            routes => {
                let one =
                    |route: &DefaultRoute| format!("{} by {}", if route.v6 { "ipv6" } else { "ipv4" }, route.interface);
                format!("default route: {}", routes.iter().map(one).collect::<Vec<_>>().join(", "))
            }
        };
        let links: Vec<_> = got.interfaces.iter().filter(|link| link.hardware).map(Interface::to_string).collect();
        let links = if links.is_empty() { "no network interface".to_owned() } else { links.join("; ") };
        Verdict::of(false, want, format_args!("{links}; {routes}"))
    }
}

/// Network interfaces are named as the fleet expects.
pub struct NamesAsExpected;

impl Check for NamesAsExpected {
    type Fact = Addressing;
    type Want = Naming;

    fn about(&self) -> &About {
        &About {
            id: "network.names-as-expected",
            demand: "every network card has a name of the expected kind",
            remedy: "predictable: take net.ifnames=0 off the kernel command line, and masks of 99-default.link away; kernel: the reverse",
            key: "network.interface_names",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Naming> {
        image.network.interface_names
    }

    fn judge(&self, got: &Addressing, want: &Naming) -> Verdict {
        let cards: Vec<_> = got.interfaces.iter().filter(|link| link.hardware).map(|link| link.name.as_str()).collect();
        let holds = !cards.is_empty() && cards.iter().all(|name| naming(name) == *want);
        let words = match want {
            Naming::Kernel => "names given by the kernel",
            Naming::Predictable => "predictable names",
        };
        let got = if cards.is_empty() { "no network card".to_owned() } else { cards.join(", ") };
        Verdict::of(holds, words, got)
    }
}

fn naming(interface: &str) -> Naming {
    let number = ["eth", "wlan"].iter().find_map(|stem| interface.strip_prefix(stem));
    let by_kernel = number.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()));
    if by_kernel { Naming::Kernel } else { Naming::Predictable }
}
