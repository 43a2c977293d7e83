//! What ties the network's configuration to one machine or one network: hardware addresses and fixed addresses.

use std::{fmt, net::IpAddr};

use super::{
    Interface,
    config::{ConfigLine, Kind},
};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    pattern::Pattern,
    probe::{Output, Probe},
};

/// The lines with such addresses, and the hardware addresses that this machine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pins {
    /// In the order of the files.
    pub pins: Vec<Pin>,
    /// In lower case, with colons.
    pub cards: Vec<String>,
}

/// A line with an address in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The file and the line.
    pub at: ConfigLine,
    /// The hardware address on it, in lower case, with colons; nothing where there is only an IP address.
    pub mac: Option<String>,
}

impl Fact for Pins {
    const ID: &'static str = "network.pins";

    fn probes() -> Vec<Probe> {
        vec![ConfigLine::probe(), Interface::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let cards = Interface::read(&out[1])?.into_iter().filter(|card| card.hardware).map(|card| card.mac).collect();
        let lines = ConfigLine::read(&out[0], Kind::Pin)?;
        Ok(Self { pins: lines.into_iter().filter_map(pin).collect(), cards })
    }
}

fn pin(at: ConfigLine) -> Option<Pin> {
    let words = || at.line.split(|sign: char| sign.is_whitespace() || "=\"',;[](){}!".contains(sign));
    let mac = words().find_map(mac);
    (mac.is_some() || words().any(fixed)).then_some(Pin { at, mac })
}

/// A hardware address of one card: not nothing, not everybody.
fn mac(word: &str) -> Option<String> {
    let parts: Vec<_> = word.split([':', '-']).collect();
    let bytes = parts.iter().map(|part| (part.len() == 2).then(|| u8::from_str_radix(part, 16).ok()).flatten());
    let bytes: Vec<_> = bytes.collect::<Option<_>>()?;
    let one = bytes.len() == 6 && bytes.iter().any(|byte| *byte != 0) && bytes.iter().any(|byte| *byte != 0xff);
    one.then(|| parts.join(":").to_lowercase())
}

/// Whether a word is an address of some network: not of the machine itself, of its link, of everybody, nor a mask.
fn fixed(word: &str) -> bool {
    match word.split(['/', '%', '#']).next().and_then(|address| address.parse().ok()) {
        Some(IpAddr::V4(v4)) => {
            let mask = v4.to_bits().leading_ones() >= 8 && v4.to_bits().leading_ones() == v4.to_bits().count_ones();
            !(v4.is_loopback() || v4.is_unspecified() || v4.is_multicast() || v4.is_link_local() || mask)
        }
        Some(IpAddr::V6(v6)) => {
            !(v6.is_loopback() || v6.is_unspecified() || v6.is_multicast() || v6.is_unicast_link_local())
        }
        None => false,
    }
}

impl Pins {
    /// Whether a line may be there: it is expected, and if it is for a card, this machine has it.
    fn allows(&self, pin: &Pin, want: &[Pattern]) -> bool {
        let here = pin.mac.as_ref().is_none_or(|mac| self.cards.contains(mac));
        here && want.iter().any(|one| one.matches(&pin.at.to_string()))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.at.fmt(f)
    }
}

/// Nothing ties the network's configuration to the machine or the network that the image was made on.
pub struct PinsExpected;

impl Check for PinsExpected {
    type Fact = Pins;
    type Want = Vec<Pattern>;

    fn about(&self) -> &About {
        &About {
            id: "network.pins-expected",
            demand: "no rule of udev and no network configuration names a hardware address or a fixed address, but what is \
                     expected; a card that is named is one that the machine has",
            remedy: "match any card (`Type=ether`, `en*`) and take addresses from the network (DHCP); remove what \
                     installers and earlier boots wrote",
            key: "network.pins",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<Pattern>> {
        image.network.pins.clone()
    }

    fn judge(&self, got: &Pins, want: &Vec<Pattern>) -> Verdict {
        let stray = got.pins.iter().filter(|pin| !got.allows(pin, want)).map(Pin::to_string);
        let stray: Vec<_> = stray.collect();
        let but: Vec<_> = want.iter().map(Pattern::to_string).collect();
        let wanted = if but.is_empty() { "none".to_owned() } else { format!("none but {}", but.join(", ")) };
        let words = if stray.is_empty() { "none that is not".to_owned() } else { stray.join("; ") };
        Verdict::of(stray.is_empty(), wanted, words)
    }
}

#[cfg(test)]
mod tests {
    use super::{ConfigLine, pin};

    /// What a line is tied to: a card, `an address`, or nothing.
    fn found(line: &str) -> Option<String> {
        let pin = pin(ConfigLine { file: "/etc/x".to_owned(), line: line.to_owned() })?;
        Some(pin.mac.unwrap_or_else(|| "an address".to_owned()))
    }

    #[test]
    fn addresses_are_known_in_every_dialect() {
        let mac = Some("52:54:00:ab:cd:ef".to_owned());
        assert_eq!(found("SUBSYSTEM==\"net\", ATTR{address}==\"52:54:00:AB:cd:ef\", NAME=\"eth0\""), mac);
        assert_eq!(found("MACAddress=52-54-00-ab-cd-ef"), mac);
        assert_eq!(found("macaddress: \"52:54:00:ab:cd:ef\""), mac);
        for line in [
            "Address=10.0.0.5/24",
            "address1=10.0.0.5/24,10.0.0.1",
            "addresses: [fd00::5/64]",
            "- 192.168.1.7/24",
            "IPADDR=\"10.0.0.5\"",
            "DNS=10.0.0.1#resolver.example",
            "up ip route add 10.1.0.0/16 via 10.0.0.254",
        ] {
            assert_eq!(found(line).as_deref(), Some("an address"), "{line}");
        }
    }

    #[test]
    fn addresses_of_no_network_are_no_pins() {
        for line in [
            "Address=0.0.0.0/28",
            "Destination=169.254.169.254/32",
            "netmask 255.255.255.0",
            "address 127.0.0.1",
            "IPv6Token=::1",
            "ATTR{address}==\"00:00:00:00:00:00\"",
            "OnCalendar=12:30:45",
            "MACAddress=52:54:00:*",
        ] {
            assert_eq!(found(line), None, "{line}");
        }
    }
}
