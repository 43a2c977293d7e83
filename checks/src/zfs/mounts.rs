//! `/proc/self/mountinfo`: what is mounted where, as the kernel tells it; no program of ZFS is asked.

use toml::Value;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// What is mounted, in the order of mounting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounts(Vec<Mount>);

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where, as an absolute path.
    pub at: String,
    /// File system type, as in `zfs`.
    pub kind: String,
    /// What: of ZFS the dataset, else a device or a word.
    pub source: String,
}

impl Mounts {
    /// What is seen at `path`: the last that was mounted there.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Mount> {
        self.0.iter().rev().find(|mount| mount.at == path)
    }

    /// Reads mountinfo.
    ///
    /// # Errors
    /// [`Unreadable`] if a line has another form, or nothing is mounted at `/`.
    pub(super) fn read(text: &str) -> Result<Self, Unreadable> {
        let mounts = text.lines().map(mount).collect::<Result<_, _>>().map(Self)?;
        if mounts.at("/").is_none() { Err(Unreadable::new("nothing is mounted at /")) } else { Ok(mounts) }
    }

    pub(super) fn probe() -> Probe {
        Probe::file("/proc/self/mountinfo")
    }
}

fn mount(line: &str) -> Result<Mount, Unreadable> {
    let unreadable = || Unreadable::new(format!("not a line of mountinfo: {line}"));
    let (place, what) = line.split_once(" - ").ok_or_else(unreadable)?;
    let at = place.split(' ').nth(4).ok_or_else(unreadable)?;
    // The options come last and are not always escaped: older kernels print a CIFS share's name with its blanks.
    let [kind, source, _options] = what.splitn(3, ' ').collect::<Vec<_>>()[..] else { return Err(unreadable()) };
    Ok(Mount { at: unescaped(at), kind: kind.to_owned(), source: unescaped(source) })
}

/// The kernel writes blank, tab, newline and backslash as three octal digits.
fn unescaped(text: &str) -> String {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    escapes.iter().fold(text.to_owned(), |text, (escape, sign)| text.replace(escape, sign))
}

impl Fact for Mounts {
    const ID: &'static str = "zfs.mounts";

    fn probes() -> Vec<Probe> {
        vec![Self::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        Self::read(out[0].ok()?)
    }
}

/// The expected dataset is what the machine runs from.
pub struct RootMounted;

impl Check for RootMounted {
    type Fact = Mounts;
    type Want = String;

    fn about(&self) -> &About {
        &About {
            id: "zfs.root-mounted",
            demand: "/ is mounted from the expected dataset",
            remedy: "set bootfs of the pool, or root= on the kernel's command line, to that dataset",
            key: "zfs.root",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<String> {
        image.zfs.root.clone()
    }

    fn judge(&self, got: &Mounts, want: &String) -> Verdict {
        let root = got.at("/").map(|root| format!("{} ({})", root.source, root.kind)).unwrap_or_default();
        Verdict::of(root == format!("{want} (zfs)"), want, root)
    }

    fn observed(&self, got: &Mounts) -> Option<Value> {
        got.at("/").filter(|root| root.kind == "zfs").map(|root| root.source.clone().into())
    }
}

#[cfg(test)]
mod tests {
    use super::Mounts;

    #[test]
    fn the_last_mount_on_a_place_is_what_is_seen_there() {
        let text = "1 0 0:1 / / rw - zfs rpool/ROOT/debian rw,xattr\n\
                    2 1 0:2 / /my\\040disk rw shared:3 - zfs rpool/old rw\n\
                    3 1 0:3 / /my\\040disk rw shared:4 - zfs rpool/new rw\n";
        assert_eq!(Mounts::read(text).unwrap().at("/my disk").unwrap().source, "rpool/new");
    }

    #[test]
    fn options_may_hold_blanks() {
        let text = "1 0 0:1 / / rw - zfs rpool/ROOT/debian rw,xattr\n\
                    2 1 0:2 / /srv/share rw - cifs //host/a\\040share rw,unc=\\\\host\\a share,username=me\n";
        let mounts = Mounts::read(text).unwrap();
        let share = mounts.at("/srv/share").unwrap();
        assert_eq!((share.kind.as_str(), share.source.as_str()), ("cifs", "//host/a share"));
    }

    #[test]
    fn a_line_without_options_is_refused() {
        assert!(Mounts::read("1 0 0:1 / / rw - zfs rpool/ROOT/debian").is_err());
    }
}
