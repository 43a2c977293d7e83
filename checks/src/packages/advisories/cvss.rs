//! The rating of a vector of CVSS 3.0 or 3.1, by the equations of its specification, section 7.

/// `none`, `low`, `medium`, `high` or `critical`; nothing if it is no such vector.
pub(super) fn rating(vector: &str) -> Option<&'static str> {
    let tenths = base_score(vector)?;
    Some(match tenths {
        0 => "none",
        1..=39 => "low",
        40..=69 => "medium",
        70..=89 => "high",
        _ => "critical",
    })
}

/// The base score in tenths.
fn base_score(vector: &str) -> Option<u32> {
    let metrics = vector.strip_prefix("CVSS:3.1/").or_else(|| vector.strip_prefix("CVSS:3.0/"))?;
    let value = |name: &str| metrics.split('/').find_map(|metric| metric.strip_prefix(name)?.strip_prefix(':'));
    let weight = |name: &str, weights: &[(&str, f64)]| {
        let value = value(name)?;
        weights.iter().find(|(of, _)| *of == value).map(|(_, weight)| *weight)
    };
    let changed = match value("S")? {
        "U" => false,
        "C" => true,
        _ => return None,
    };
    let harm = |name| weight(name, &[("H", 0.56), ("L", 0.22), ("N", 0.0)]);
    let spared = (1.0 - harm("C")?) * (1.0 - harm("I")?) * (1.0 - harm("A")?);
    let base = 1.0 - spared;
    let impact = if changed { 7.52 * (base - 0.029) - 3.25 * (base - 0.02).powi(15) } else { 6.42 * base };
    let privileges =
        if changed { [("N", 0.85), ("L", 0.68), ("H", 0.5)] } else { [("N", 0.85), ("L", 0.62), ("H", 0.27)] };
    let ease = 8.22
        * weight("AV", &[("N", 0.85), ("A", 0.62), ("L", 0.55), ("P", 0.2)])?
        * weight("AC", &[("L", 0.77), ("H", 0.44)])?
        * weight("PR", &privileges)?
        * weight("UI", &[("N", 0.85), ("R", 0.62)])?;
    if impact <= 0.0 {
        return Some(0);
    }
    let sum = if changed { 1.08 * (impact + ease) } else { impact + ease };
    Some(round_up(sum.min(10.0)))
}

/// The least number of tenths that is not less, with the specification's care for what floats cannot hold.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "scores are between 0 and 10")]
fn round_up(score: f64) -> u32 {
    let whole = (score * 100_000.0).round() as u32;
    whole.div_ceil(10_000)
}

#[cfg(test)]
mod tests {
    use super::{base_score, rating};

    /// The first four are the examples of the specification and of its user guide.
    #[test]
    fn vectors_score_as_the_specification_has_it() {
        for (vector, score, word) in [
            ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 88, "high"),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 61, "medium"),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 75, "high"),
            ("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:N/A:N", 55, "medium"),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 100, "critical"),
            ("CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N", 0, "none"),
            ("CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N/E:P/RL:O", 18, "low"),
        ] {
            assert_eq!((base_score(vector), rating(vector)), (Some(score), Some(word)), "{vector}");
        }
        for none in ["", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:H/SC:N/SI:N/SA:N", "CVSS:3.1/AV:N/AC:L", "7.5"]
        {
            assert_eq!(rating(none), None, "{none}");
        }
    }
}
