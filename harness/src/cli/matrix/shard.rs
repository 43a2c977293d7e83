//! Which part of a matrix is run here: said on the command line, or by the scheduler that started this.

use std::{env, str::FromStr};

use crate::report::Shard;

/// The most parts of a matrix.
pub(super) const MOST: usize = 10_000;

/// `--shard`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShardArg {
    /// As it is said.
    Said(Shard),
    /// As the environment says.
    Auto,
}

impl FromStr for ShardArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let wrong = || format!("`{text}` is no part; the second of five is 2/5");
        let (number, of) = text.split_once('/').ok_or_else(wrong)?;
        let shard = Shard { number: number.parse().map_err(|_| wrong())?, of: of.parse().map_err(|_| wrong())? };
        if shard.number == 0 || shard.number > shard.of {
            return Err(wrong());
        }
        if shard.of > MOST {
            return Err(format!("{} parts; {MOST} are the most", shard.of));
        }
        Ok(Self::Said(shard))
    }
}

impl ShardArg {
    /// The part; where the environment says none, why.
    pub(super) fn get(self) -> Result<Shard, String> {
        match self {
            Self::Said(shard) => Ok(shard),
            Self::Auto => of_environment(&|name| env::var(name).ok()),
        }
    }
}

/// The variables of each scheduler: the number, what it is counted from, and how many there are.
fn of_environment(get: &dyn Fn(&str) -> Option<String>) -> Result<Shard, String> {
    let number = |name: &str| -> Result<Option<usize>, String> {
        let Some(text) = get(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| format!("{name} is `{text}`, and no number"))
    };
    let needed = |name: &str, beside: &str| number(name)?.ok_or_else(|| format!("{beside} is set, and {name} is not"));
    let shard = if let Some(task) = number("SLURM_ARRAY_TASK_ID")? {
        let least = needed("SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_ID")?;
        let of = needed("SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_ID")?;
        // A job array of which some tasks only are run again has other bounds: what it was parted into is said by the job.
        let of = number("KVERIFY_SHARDS")?.unwrap_or(of);
        let least = if get("KVERIFY_SHARDS").is_some() { 0 } else { least };
        Shard { number: task.saturating_add(1).saturating_sub(least), of }
    } else if let Some(index) = number("JOB_COMPLETION_INDEX")? {
        // Kubernetes says which, and not how many.
        Shard { number: index.saturating_add(1), of: needed("KVERIFY_SHARDS", "JOB_COMPLETION_INDEX")? }
    } else if let Some(index) = number("CI_NODE_INDEX")? {
        Shard { number: index, of: needed("CI_NODE_TOTAL", "CI_NODE_INDEX")? }
    } else {
        return Err("neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX nor CI_NODE_INDEX is set".to_owned());
    };
    if shard.of > MOST {
        return Err(format!("the environment says {} parts; {MOST} are the most", shard.of));
    }
    if shard.number == 0 || shard.number > shard.of {
        return Err(format!("the environment says part {} of {}, which there is not", shard.number, shard.of));
    }
    Ok(shard)
}

#[cfg(test)]
mod tests {
    use super::{Shard, ShardArg, of_environment};

    #[test]
    fn parts_are_written_as_fractions() {
        assert_eq!("2/5".parse(), Ok(ShardArg::Said(Shard { number: 2, of: 5 })));
        assert_eq!("auto".parse(), Ok(ShardArg::Auto));
        assert_eq!("1/99999999999".parse::<ShardArg>().unwrap_err(), "99999999999 parts; 10000 are the most");
        for wrong in ["0/5", "6/5", "2", "a/b", "-1/5", "1/0", ""] {
            assert!(wrong.parse::<ShardArg>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn schedulers_say_it_each_in_its_way() {
        let of = |set: &[(&str, &str)]| {
            of_environment(&|name| set.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned()))
        };
        let slurm = [("SLURM_ARRAY_TASK_ID", "3"), ("SLURM_ARRAY_TASK_MIN", "1"), ("SLURM_ARRAY_TASK_COUNT", "4")];
        assert_eq!(of(&slurm), Ok(Shard { number: 3, of: 4 }));
        let again = [
            ("SLURM_ARRAY_TASK_ID", "3"),
            ("SLURM_ARRAY_TASK_MIN", "3"),
            ("SLURM_ARRAY_TASK_COUNT", "1"),
            ("KVERIFY_SHARDS", "4"),
        ];
        assert_eq!(of(&again), Ok(Shard { number: 4, of: 4 }), "one task of the array 0-3");
        assert_eq!(of(&[("JOB_COMPLETION_INDEX", "0"), ("KVERIFY_SHARDS", "2")]), Ok(Shard { number: 1, of: 2 }));
        assert!(of(&[("JOB_COMPLETION_INDEX", "0")]).unwrap_err().contains("KVERIFY_SHARDS is not"));
        assert_eq!(of(&[("CI_NODE_INDEX", "2"), ("CI_NODE_TOTAL", "2")]), Ok(Shard { number: 2, of: 2 }));
        assert!(of(&[("CI_NODE_INDEX", "3"), ("CI_NODE_TOTAL", "2")]).unwrap_err().contains("part 3 of 2"));
        assert!(of(&[("CI_NODE_INDEX", "x"), ("CI_NODE_TOTAL", "2")]).unwrap_err().contains("no number"));
        assert!(
            of(&[("CI_NODE_INDEX", "1"), ("CI_NODE_TOTAL", "99999999999")]).unwrap_err().contains("10000 are the most")
        );
        assert!(of(&[]).unwrap_err().starts_with("neither SLURM_ARRAY_TASK_ID"));
    }
}
