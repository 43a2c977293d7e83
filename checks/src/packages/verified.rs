//! The files of the packages, compared with what the packages brought: `dpkg --verify`, `rpm -Va`, `pacman -Qkk`.
//!
//! On one CPU `dpkg --verify` is as fast as `md5sum -c` over the same sums, and knows of diversions and configuration.

use std::time::Duration;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    pattern::Pattern,
    probe::{Output, Probe},
};

/// The files that are not as their packages brought them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// In the order in which the package manager names them.
    pub altered: Vec<Altered>,
}

/// A file that is not as its package brought it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Altered {
    /// Its path.
    pub path: String,
    /// Whether the package calls it configuration.
    pub configuration: bool,
    /// What is wrong with it, as the package manager abbreviates it.
    pub how: String,
}

/// Documentation and translations are left out of what dpkg misses: a golden image is often made without them, and dpkg
/// would name thousands of files.
const SCRIPT: &str = "if command -v dpkg >/dev/null; then echo dpkg
{ dpkg --verify --verify-format rpm; echo \"ended with $?\"; } |
grep -avE '^missing +(c +)?/usr/share/(doc|info|lintian|locale|man)(/|$)'
elif command -v rpm >/dev/null; then echo rpm; rpm -Va; echo \"ended with $?\"
elif command -v pacman >/dev/null; then echo pacman; pacman -Qkk 2>&1; echo \"ended with $?\"
else echo 'no dpkg, rpm or pacman' >&2; exit 127; fi";

impl Fact for Verified {
    const ID: &'static str = "packages.verified";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["sh", "-c", SCRIPT]).limit(Duration::from_mins(10)).bound(4 << 20)]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let mut lines: Vec<_> = out[0].ok()?.lines().filter(|line| !line.trim().is_empty()).collect();
        let ended = lines.pop().and_then(|last| last.strip_prefix("ended with "));
        let (manager, lines) = lines.split_first().ok_or_else(|| Unreadable::new("no package manager named"))?;
        let read: fn(&str) -> Option<Altered> = if *manager == "pacman" { of_pacman } else { of_rpm };
        // 1 is rpm's and pacman's word for: verified, and found something.
        if !(ended == Some("0") || ended == Some("1") && *manager != "dpkg") {
            let said = out[0].stderr.lines().last().or(lines.last().copied()).unwrap_or_default();
            return Err(Unreadable::new(format!("{manager} ended with {}: {said}", ended.unwrap_or("nothing"))));
        }
        let unread = |line: &str| Unreadable::new(format!("not a line of {manager}: {line}"));
        // pacman ends each package with a line of counts.
        let lines = lines.iter().filter(|line| *manager != "pacman" || !line.contains(" total file"));
        let read = lines.map(|line| read(line).ok_or_else(|| unread(line))).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { altered: read.into_iter().filter(Altered::differs).collect() })
    }
}

impl Altered {
    /// Whether more differs than the time of the last change.
    fn differs(&self) -> bool {
        match self.how.as_str() {
            "missing" => true,
            "Modification time mismatch" => false,
            how => how.bytes().any(|flag| !b".?T".contains(&flag)),
        }
    }
}

/// `S.5....T.  c /etc/issue` or `missing     /usr/bin/x`.
fn of_rpm(line: &str) -> Option<Altered> {
    let (how, rest) = line.split_once(' ')?;
    let flags = how.len() == 9 && how.bytes().all(|flag| b".?SM5DLUGTP".contains(&flag));
    if !flags && how != "missing" {
        return None;
    }
    let (kind, path) = rest.trim_start().split_once('/')?;
    let path = path.strip_suffix(" (replaced)").unwrap_or(path);
    // What is made later (`g`) need not be there.
    let how = if kind.trim() == "g" && how == "missing" { "" } else { how };
    Some(Altered { path: format!("/{path}"), configuration: kind.trim() == "c", how: how.to_owned() })
}

/// `warning: acl: /usr/lib/x (Size mismatch)`, or `backup file: …` for configuration.
fn of_pacman(line: &str) -> Option<Altered> {
    let (configuration, rest) = match line.strip_prefix("warning: ") {
        Some(rest) => (false, rest),
        None => (true, line.strip_prefix("backup file: ")?),
    };
    let (path, how) = rest.split_once(": /")?.1.rsplit_once(" (")?;
    Some(Altered { path: format!("/{path}"), configuration, how: how.strip_suffix(')')?.to_owned() })
}

/// The files of packages are as the packages brought them.
pub struct FilesAsPackaged;

impl Check for FilesAsPackaged {
    type Fact = Verified;
    /// The files that may differ.
    type Want = Vec<Pattern>;

    fn about(&self) -> &About {
        &About {
            id: "packages.files-as-packaged",
            demand: "the files of packages are as the packages brought them, but for those declared",
            remedy: "`apt-get install --reinstall` brings them back; what is changed on purpose belongs into a file of its own",
            key: "packages.altered",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<Pattern>> {
        image.packages.altered.clone()
    }

    fn judge(&self, got: &Verified, want: &Vec<Pattern>) -> Verdict {
        let borne = |file: &&Altered| want.iter().any(|pattern| pattern.matches(&file.path));
        let (known, strange): (Vec<_>, Vec<_>) = got.altered.iter().partition(borne);
        let words = |file: &&Altered| {
            let kind = if file.configuration { ", configuration" } else { "" };
            format!("{} ({}{kind})", file.path, file.how)
        };
        let said = match &strange[..] {
            [] => "as packaged".to_owned(),
            few if few.len() <= 10 => few.iter().map(words).collect::<Vec<_>>().join(", "),
            many => {
                let first: Vec<_> = many.iter().take(10).map(words).collect();
                format!("{}, and {} more", first.join(", "), many.len() - 10)
            }
        };
        let wanted: Vec<_> = want.iter().map(ToString::to_string).collect();
        let wanted = if wanted.is_empty() { String::new() } else { format!(", but for {}", wanted.join(", ")) };
        let verdict = Verdict::of(strange.is_empty(), format_args!("as packaged{wanted}"), said);
        known.iter().fold(verdict, |verdict, file| verdict.note(format!("as declared: {}", words(file))))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Altered, Verified};
    use crate::{Exit, Fact, Output};

    fn read(stdout: &str) -> Result<Vec<(String, bool, String)>, String> {
        let out = Output {
            exit: Exit::Code(0),
            stdout: stdout.to_owned(),
            stderr: String::new(),
            truncated: false,
            took: Duration::ZERO,
        };
        let tell = |Altered { path, configuration, how }| (path, configuration, how);
        Verified::parse(&[out]).map(|read| read.altered.into_iter().map(tell).collect()).map_err(|why| why.to_string())
    }

    fn altered(path: &str, configuration: bool, how: &str) -> (String, bool, String) {
        (path.to_owned(), configuration, how.to_owned())
    }

    /// The lines between the marks are those of <https://github.com/influxdata/telegraf/issues/7139> (2020-03-09),
    /// <https://github.com/NagiosEnterprises/ncpa/issues/1299> (2025-09-23) and
    /// <https://github.com/vpereira/seccheck/issues/7>.
    #[test]
    fn what_rpm_says_is_read() {
        let said =
            "rpm\n\nS.5....T.  c /etc/telegraf/telegraf.conf\n\n.....UG..    /var/log/telegraf\n\nended with 1\n";
        assert_eq!(
            read(said).unwrap(),
            [
                altered("/etc/telegraf/telegraf.conf", true, "S.5....T."),
                altered("/var/log/telegraf", false, ".....UG..")
            ]
        );
        let said = "rpm\nSM5...GT.  c /usr/local/ncpa/etc/ncpa.cfg\nmissing   c /etc/apache2/vhosts.d/horde.vhost.conf.template\n\
                    .........    /usr/lib64/libmhash.so.2.0.1 (replaced)\nended with 1\n";
        assert_eq!(
            read(said).unwrap(),
            [
                altered("/usr/local/ncpa/etc/ncpa.cfg", true, "SM5...GT."),
                altered("/etc/apache2/vhosts.d/horde.vhost.conf.template", true, "missing"),
            ]
        );
    }

    /// The lines between the marks are those of <https://github.com/falconindy/pkgfile/issues/39> (2018-08-08).
    #[test]
    fn what_pacman_says_is_read() {
        let said = "pacman\nwarning: pkgfile: /var/cache/pkgfile (Permissions mismatch)\n\
                    pkgfile: 30 total files, 1 altered file\nended with 1\n";
        assert_eq!(read(said).unwrap(), [altered("/var/cache/pkgfile", false, "Permissions mismatch")]);
    }

    /// The complaint is that of <https://github.com/itchio/itch/issues/930> (2016-09-25).
    #[test]
    fn what_was_not_verified_to_the_end_is_an_error() {
        let broken = read("dpkg\nended with 2\n").unwrap_err();
        assert!(broken.starts_with("dpkg ended with 2"), "{broken}");
        let line =
            read("dpkg\ndpkg: error: control file 'md5sums' missing value separator\nended with 0\n").unwrap_err();
        assert!(line.starts_with("not a line of dpkg"), "{line}");
        assert!(read("dpkg\n??5?????? c /etc/x\n").is_err());
        assert!(read("dpkg\nended with 1\n").is_err());
        assert_eq!(read("dpkg\nended with 0\n").unwrap(), []);
    }
}
