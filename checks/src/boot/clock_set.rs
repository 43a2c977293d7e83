//! Judged on the clock: that its time can be, and that it is read in the zones it is meant to be read in.

use toml::Value;

use super::{clock::Clock, small_files};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    outcome::Verdict,
};

/// The clock says a time that can be.
pub struct ClockPlausible;

impl Check for ClockPlausible {
    type Fact = Clock;
    /// Years that an image may be old.
    type Want = u32;

    fn about(&self) -> &About {
        &About {
            id: "boot.clock-plausible",
            demand: "the clock is not before the build of the image, nor many years after it",
            remedy: "look at what sets the clock at boot (the hardware clock, a time service) and at the clock of the builder",
            key: "boot.clock_within_years",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<u32> {
        image.boot.clock_within_years
    }

    fn judge(&self, got: &Clock, years: &u32) -> Verdict {
        const YEAR: i64 = 31_556_952;
        let (path, built) = &got.newest;
        let age = got.now - built;
        let days = |seconds: i64| seconds.abs() / 86_400;
        let said = if age < 0 {
            format!("{} s or {} days before {path} was written", -age, days(age))
        } else {
            format!("{} days after {path} was written", days(age))
        };
        let holds = (0..=i64::from(*years) * YEAR).contains(&age);
        Verdict::of(holds, format_args!("after the build, by at most {years} years"), said)
    }
}

/// The hardware clock is read as UTC.
pub struct RtcInUtc;

impl Check for RtcInUtc {
    type Fact = Clock;
    /// Whether it has to be.
    type Want = bool;

    fn about(&self) -> &About {
        &About {
            id: "boot.rtc-in-utc",
            demand: "the system reads the hardware clock as UTC (or as local time, if so expected)",
            remedy: "`timedatectl set-local-rtc 0`, or `hwclock --systohc --utc`: hosts give their machines UTC",
            key: "boot.rtc_utc",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<bool> {
        image.boot.rtc_utc
    }

    fn judge(&self, got: &Clock, utc: &bool) -> Verdict {
        let name = |utc: bool| if utc { "UTC" } else { "local time" };
        Verdict::of(got.rtc_local != *utc, name(*utc), name(!got.rtc_local))
    }

    fn observed(&self, got: &Clock) -> Option<Value> {
        Some((!got.rtc_local).into())
    }
}

/// The time zone is the declared one.
pub struct TimeZoneExpected;

impl Check for TimeZoneExpected {
    type Fact = Clock;
    type Want = String;

    fn about(&self) -> &About {
        &About {
            id: "boot.time-zone-expected",
            demand: "/etc/localtime, and /etc/timezone where there is one, name the expected time zone",
            remedy: "`timedatectl set-timezone ZONE` writes both",
            key: "boot.time_zone",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<String> {
        image.boot.time_zone.clone()
    }

    fn judge(&self, got: &Clock, want: &String) -> Verdict {
        // Without the file the C library takes UTC.
        let zone = got.zone.as_deref().unwrap_or("UTC");
        let same = |zone: &str| canonical(zone) == canonical(want);
        let holds = same(zone) && got.named_zone.as_deref().is_none_or(same);
        let said = match &got.named_zone {
            Some(named) if named != zone => format!("{zone}, but {} says {named}", small_files::TIMEZONE),
            _ => zone.to_owned(),
        };
        Verdict::of(holds, want, said)
    }

    fn observed(&self, got: &Clock) -> Option<Value> {
        got.zone.clone().map(Value::from)
    }
}

/// UTC has many names.
fn canonical(zone: &str) -> &str {
    match zone {
        "Etc/UTC" | "Etc/UCT" | "UCT" | "Zulu" | "Etc/Zulu" | "Universal" | "Etc/Universal" => "UTC",
        other => other,
    }
}
