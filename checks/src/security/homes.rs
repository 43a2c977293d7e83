//! The homes of root and of people: whose they are, and who gets in.

use super::{SEED_USER, permissions::Mode};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    lists::some,
    outcome::Verdict,
    probe::{Output, Probe},
};

/// Prints `NAME:UID:HOME:` and what stat says of the home.
const SCRIPT: &str = r#"people=$(awk -F: '$3 == 0 || $3 >= 1000 && $3 < 65534 { print $1 ":" $3 ":" $6 }' /etc/passwd) || exit
printf '%s\n' "$people" | while IFS=: read -r name uid home; do
  printf '%s:%s:%s:' "$name" "$uid" "$home"
  if [ -d "$home" ]; then stat -L -c '%u %a' -- "$home"; else echo none; fi
done
echo end"#;

/// The homes of root and of people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Homes(pub Vec<Home>);

/// One home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The account's name.
    pub name: String,
    /// The account's number.
    pub uid: u32,
    /// The folder's path.
    pub path: String,
    /// The number of the folder's owner and its mode; `None` if there is no such folder.
    pub folder: Option<(u32, Mode)>,
}

impl Fact for Homes {
    const ID: &'static str = "security.homes";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["sh", "-c", SCRIPT])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let whole = out[0].ok()?.strip_suffix("end\n").ok_or_else(|| Unreadable::new("homes: cut off"))?;
        let home = |line: &str| {
            let [name, uid, path, is] = line.split(':').collect::<Vec<_>>()[..] else { return None };
            let folder = match is.split_once(' ') {
                Some((owner, mode)) => Some((owner.parse().ok()?, mode.parse().ok()?)),
                None if is == "none" => None,
                None => return None,
            };
            Some(Home { name: name.to_owned(), uid: uid.parse().ok()?, path: path.to_owned(), folder })
        };
        let read = |line| home(line).ok_or_else(|| Unreadable::new(format!("homes: {line}")));
        let homes = whole.lines().map(read).collect::<Result<Vec<_>, _>>()?;
        if !homes.iter().any(|home| home.uid == 0) {
            return Err(Unreadable::new("/etc/passwd: nobody has uid 0"));
        }
        Ok(Self(homes.into_iter().filter(|home| home.name != SEED_USER).collect()))
    }
}

/// A home is its owner's.
pub struct HomesPrivate;

impl Check for HomesPrivate {
    type Fact = Homes;
    type Want = Mode;

    fn about(&self) -> &About {
        &About {
            id: "security.homes-private",
            demand: "the home of root and of every person is there, is theirs, and has a mode no more open than declared",
            remedy: "`chown` and `chmod` it; HOME_MODE in /etc/login.defs for those that will be made",
            key: "security.homes",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Mode> {
        image.security.homes
    }

    fn judge(&self, got: &Homes, want: &Mode) -> Verdict {
        let fault = |home: &Home| match home.folder {
            None => Some(format!("{} of {} is not there", home.path, home.name)),
            Some((owner, _)) if owner != home.uid => {
                Some(format!("{} of {}, uid {}, belongs to uid {owner}", home.path, home.name, home.uid))
            }
            Some((_, mode)) if !mode.within(*want) => Some(format!("{} of {} {mode}", home.path, home.name)),
            Some(_) => None,
        };
        let wrong: Vec<_> = got.0.iter().filter_map(fault).collect();
        let homes: Vec<_> = got.0.iter().map(|home| home.path.as_str()).collect();
        Verdict::of(wrong.is_empty(), format_args!("their owner's, {want} at most"), some(&wrong, &homes.join(", ")))
    }
}
