//! With which options file systems are mounted, by `/proc/self/mountinfo`.

use std::collections::BTreeMap;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    lists::some,
    outcome::Verdict,
    probe::{Output, Probe},
};

/// The options of each mount, in the order of mounting: the place, and the mount's own options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountOptions(Vec<(String, Vec<String>)>);

impl MountOptions {
    /// The mount that `path` is on: the last one at the longest place.
    fn of(&self, path: &str) -> Option<&(String, Vec<String>)> {
        let inside = |place: &str| place == "/" || path == place || path.starts_with(&format!("{place}/"));
        self.0.iter().filter(|(place, _)| inside(place)).max_by_key(|(place, _)| place.len())
    }
}

impl Fact for MountOptions {
    const ID: &'static str = "security.mount-options";

    fn probes() -> Vec<Probe> {
        vec![Probe::file("/proc/self/mountinfo")]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let mount = |line: &str| {
            let fields: Vec<_> = line.split(' ').collect();
            let (place, options) = (fields.get(4)?, fields.get(5)?);
            // The kernel writes a blank as three octal digits; no other sign matters to the places that are asked for.
            Some((place.replace("\\040", " "), options.split(',').map(str::to_owned).collect()))
        };
        let read = |line| mount(line).ok_or_else(|| Unreadable::new(format!("not a line of mountinfo: {line}")));
        let mounts = Self(out[0].ok()?.lines().map(read).collect::<Result<_, _>>()?);
        if mounts.of("/").is_none() { Err(Unreadable::new("nothing is mounted at /")) } else { Ok(mounts) }
    }
}

/// Places are mounted with the declared options.
pub struct MountOptionsAsDeclared;

impl Check for MountOptionsAsDeclared {
    type Fact = MountOptions;
    type Want = BTreeMap<String, Vec<String>>;

    fn about(&self) -> &About {
        &About {
            id: "security.mount-options-as-declared",
            demand: "the file system that each declared place is on is mounted with the declared options, among others",
            remedy: "set them in /etc/fstab, in the mount unit, or as property of the dataset; a place that lost its mount has those of its parent",
            key: "security.mount_options",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<BTreeMap<String, Vec<String>>> {
        image.security.mount_options.clone()
    }

    fn judge(&self, got: &MountOptions, want: &BTreeMap<String, Vec<String>>) -> Verdict {
        let mut wrong = Vec::new();
        for (path, options) in want {
            let Some((place, have)) = got.of(path) else { continue };
            let missing: Vec<_> = options.iter().filter(|option| !have.contains(option)).cloned().collect();
            if !missing.is_empty() {
                let on = if place == path { String::new() } else { format!(", on {place}") };
                wrong.push(format!("{path} without {}{on}", missing.join(",")));
            }
        }
        let demand: Vec<_> = want.iter().map(|(path, options)| format!("{path} {}", options.join(","))).collect();
        Verdict::of(wrong.is_empty(), demand.join("; "), some(&wrong, "all so"))
    }
}

#[cfg(test)]
mod tests {
    use super::MountOptions;

    #[test]
    fn a_place_is_on_its_last_mount_or_on_its_parents() {
        let mount = |place: &str, options: &str| (place.to_owned(), vec![options.to_owned()]);
        let mounts = MountOptions(vec![mount("/", "rw"), mount("/tmp", "old"), mount("/tmp", "new"), mount("/t", "t")]);
        assert_eq!(mounts.of("/tmp").unwrap().1, ["new"]);
        assert_eq!(mounts.of("/tmp/a").unwrap().1, ["new"]);
        assert_eq!(mounts.of("/tmpx").unwrap().0, "/");
    }
}
