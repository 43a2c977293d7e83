//! Judged on the unit files: what starts at boot, what must not, what is masked, and where the boot goes to.

use toml::Value;

use super::unit_files::UnitFiles;
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    outcome::Verdict,
};

/// Every unit that has to start at boot does.
pub struct UnitsEnabled;

impl Check for UnitsEnabled {
    type Fact = UnitFiles;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "boot.units-enabled",
            demand: "every unit declared is there, not masked, and wanted at boot",
            remedy: "`systemctl unmask UNIT`, `systemctl enable UNIT`",
            key: "boot.enabled_units",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        Some(image.boot.enabled_units.clone()).filter(|units| !units.is_empty())
    }

    fn judge(&self, got: &UnitFiles, want: &Vec<String>) -> Verdict {
        let off = want.iter().filter_map(|unit| Some(format!("{unit} {}", got.off(unit)?)));
        let off: Vec<_> = off.collect();
        let said = if off.is_empty() { format!("all {}", want.len()) } else { off.join(", ") };
        Verdict::of(off.is_empty(), want.join(", "), said)
    }
}

/// No unit starts at boot that must not.
pub struct UnitsDisabled;

impl Check for UnitsDisabled {
    type Fact = UnitFiles;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "boot.units-disabled",
            demand: "no unit declared as off is wanted at boot",
            remedy: "`systemctl disable UNIT`, or purge its package",
            key: "boot.disabled_units",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        Some(image.boot.disabled_units.clone()).filter(|units| !units.is_empty())
    }

    fn judge(&self, got: &UnitFiles, want: &Vec<String>) -> Verdict {
        let on: Vec<_> = want.iter().filter(|unit| got.off(unit).is_none()).map(String::as_str).collect();
        let said = if on.is_empty() { "none".to_owned() } else { on.join(", ") };
        Verdict::of(on.is_empty(), format_args!("none of {}", want.join(", ")), said)
    }
}

/// The units that are masked are those declared.
pub struct UnitsMasked;

impl Check for UnitsMasked {
    type Fact = UnitFiles;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "boot.units-masked",
            demand: "the units that were masked by hand are exactly those declared; what a package masks does not count",
            remedy: "`systemctl unmask UNIT` for what the making of the image masked and forgot, `systemctl mask UNIT` for the rest",
            key: "boot.masked_units",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        image.boot.masked_units.clone()
    }

    fn judge(&self, got: &UnitFiles, want: &Vec<String>) -> Verdict {
        let masked = got.masked();
        let mut wanted: Vec<_> = want.iter().map(String::as_str).collect();
        wanted.sort_unstable();
        let listed = |units: &[&str]| if units.is_empty() { "none".to_owned() } else { units.join(", ") };
        let found: Vec<_> = masked.into_iter().collect();
        Verdict::of(found == wanted, listed(&wanted), listed(&found))
    }

    fn observed(&self, got: &UnitFiles) -> Option<Value> {
        Value::try_from(got.masked()).ok()
    }
}

/// The boot goes to the declared target.
pub struct DefaultTarget;

impl Check for DefaultTarget {
    type Fact = UnitFiles;
    type Want = String;

    fn about(&self) -> &About {
        &About {
            id: "boot.default-target",
            demand: "default.target stands for the expected target, and that is there",
            remedy: "`systemctl set-default TARGET`",
            key: "boot.default_target",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<String> {
        image.boot.default_target.clone()
    }

    fn judge(&self, got: &UnitFiles, want: &String) -> Verdict {
        let target = got.stands_for("default.target");
        Verdict::of(target == Some(want), want, target.unwrap_or("no target that is there"))
    }

    fn observed(&self, got: &UnitFiles) -> Option<Value> {
        got.stands_for("default.target").map(Value::from)
    }
}
