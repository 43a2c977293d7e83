//! `qemu-img check`: whether the image's own tables are sound.

use serde::Deserialize;

use crate::{
    check::{About, Check, Cost},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Exit, ImageAspect, Output, Probe},
};

/// What `qemu-img check` found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// The tables were read to their end.
    Checked {
        /// Format, as in `qcow2`.
        format: String,
        /// Clusters whose tables are wrong: reading them gives wrong data.
        corruptions: u64,
        /// Clusters that nothing refers to: lost space.
        leaks: u64,
    },
    /// The format has no tables that could be wrong (raw, fixed VHD).
    NothingToCheck,
}

/// What of qemu-img's answer is read; it leaves out counts of zero, and other versions add to it.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Answer {
    format: String,
    check_errors: u64,
    #[serde(default)]
    corruptions: u64,
    #[serde(default)]
    leaks: u64,
}

impl Fact for Consistency {
    const ID: &'static str = "image.consistency";

    fn probes() -> Vec<Probe> {
        vec![Probe::image(ImageAspect::Consistency)]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        // qemu-img(1): 0 sound, 1 not checked to the end, 2 corrupt, 3 leaks, 63 not for this format.
        let (text, exit) = match out[0].exit {
            Exit::Code(63) => return Ok(Self::NothingToCheck),
            Exit::Code(code @ (0 | 2 | 3)) => (out[0].whole()?, code),
            exit => {
                let said = out[0].stderr.trim().replace('\n', ", ");
                return Err(Unreadable::new(format!("not checked to the end ({exit}) {said}").trim_end()));
            }
        };
        let answer: Answer = serde_json::from_str(text).map_err(|error| Unreadable::new(error.to_string()))?;
        let Answer { format, check_errors, corruptions, leaks } = answer;
        let told = match (corruptions, leaks) {
            (0, 0) => 0,
            (0, _) => 3,
            _ => 2,
        };
        if check_errors > 0 || exit != told {
            return Err(Unreadable::new(format!("exit {exit} with {check_errors} errors, {corruptions} corruptions")));
        }
        Ok(Self::Checked { format, corruptions, leaks })
    }
}

/// The image file is not corrupt.
pub struct Intact;

impl Check for Intact {
    type Fact = Consistency;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "image.intact",
            demand: "the image's own tables hold no corruption",
            remedy: "build or copy the image anew; `qemu-img check -r all` mends the tables, not the data",
            key: "image.intact",
            cost: Cost::Quick,
            needs: &[],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.image.intact == Some(true)).then_some(())
    }

    fn judge(&self, got: &Consistency, (): &()) -> Verdict {
        let want = "no corruption";
        match got {
            Consistency::NothingToCheck => {
                Verdict::of(true, want, "nothing to check").note("the format has no tables; only its digest guards it")
            }
            Consistency::Checked { format, corruptions, leaks } => {
                let verdict = Verdict::of(*corruptions == 0, want, format!("{format}, {corruptions} corruptions"));
                if *leaks > 0 { verdict.note(format!("{leaks} leaked clusters, lost space only")) } else { verdict }
            }
        }
    }
}
