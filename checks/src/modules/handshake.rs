//! `WireGuard` at work: two interfaces in two network namespaces shake hands, and a ping crosses the tunnel.

use std::time::Duration;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// What came of a tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tunnel {
    /// It was set up.
    Up {
        /// Whether a ping through it was answered.
        answered: bool,
        /// Whether each side knows of a handshake.
        handshakes: [bool; 2],
    },
    /// It could not be set up, in these words.
    Stopped(String),
}

impl Fact for Tunnel {
    const ID: &'static str = "modules.tunnel";

    fn probes() -> Vec<Probe> {
        let probe = Probe::root(["sh", "-c", include_str!("handshake.sh")]);
        vec![probe.touches().limit(Duration::from_mins(2))]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let text = out[0].ok()?;
        let lines: Vec<_> = text.lines().map(|line| line.split(' ').collect::<Vec<_>>()).collect();
        let parts: Vec<_> = lines.iter().map(Vec::as_slice).collect();
        match parts[..] {
            [["stopped", ..], ..] => Ok(Self::Stopped(text.trim()["stopped ".len()..].replace('\n', ", "))),
            [["ping", end @ ("answered" | "lost")], ["handshake", "a", one], ["handshake", "b", other]] => {
                let shaken = |time: &str| time.parse::<u64>().map(|time| time > 0);
                let bad = |_| Unreadable::new(format!("no times of handshakes: {one}, {other}"));
                let handshakes = [shaken(one).map_err(bad)?, shaken(other).map_err(bad)?];
                Ok(Self::Up { answered: *end == "answered", handshakes })
            }
            _ => Err(Unreadable::new(format!("not what came of a tunnel: {}", text.trim()))),
        }
    }
}

/// Two `WireGuard` interfaces shake hands.
pub struct WireGuardHandshake;

impl Check for WireGuardHandshake {
    type Fact = Tunnel;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "modules.wireguard-handshake",
            demand: "two WireGuard interfaces with keys of their own shake hands, and a ping through them is answered",
            remedy: "let the wireguard module load by itself: no `blacklist` and no `install` line of it in /etc/modprobe.d; \
                     install wireguard-tools",
            key: "modules.handshake",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.modules.handshake == Some(true)).then_some(())
    }

    fn judge(&self, got: &Tunnel, (): &()) -> Verdict {
        let want = "a handshake on both sides, and a ping answered";
        match got {
            Tunnel::Up { answered, handshakes } => {
                let sides = handshakes.iter().filter(|shaken| **shaken).count();
                let ping = if *answered { "a ping answered" } else { "no ping answered" };
                Verdict::of(*answered && sides == 2, want, format_args!("a handshake on {sides} sides, {ping}"))
            }
            Tunnel::Stopped(words) => Verdict::of(false, want, words),
        }
    }
}
