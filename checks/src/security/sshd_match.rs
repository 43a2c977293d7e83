//! sshd's Match blocks, and what sshd answers for root and for an ordinary user where some of them apply.
//!
//! A block can open for one network what is shut for all others, and no question asked from outside finds it; so the
//! blocks are read too, from `sshd_config` and all that it includes.

use regex::Regex;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

use super::{RootLogin, SshdSettings};

const FOLDER: &str = "/etc/ssh/";
const MAIN: &str = "/etc/ssh/sshd_config";
/// Prints the lines that decide about logins and those that say where they stand; where there is a Match among them,
/// then also what sshd answers for root and for an ordinary user from an address of the documentation. Without one sshd
/// would say what it says to everybody, and starting it is slow.
const SCRIPT: &str = r#"lines=$(grep -aRinE '^[[:space:]]*(match|include|permitrootlogin|passwordauthentication|kbdinteractiveauthentication|challengeresponseauthentication|authenticationmethods)([[:space:]]|=)' /etc/ssh)
status=$?
[ $status -le 1 ] || exit $status
printf '%s\n' "$lines"
case $lines in *[Mm][Aa][Tt][Cc][Hh]*) ;; *) exit 0 ;; esac
for user in root nobody; do
  echo "= $user"
  sshd -T -C "user=$user,host=x,addr=192.0.2.1" || exit
done"#;
/// sshd's own limit.
const DEEPEST_INCLUDE: usize = 16;

/// What applies to somebody, beyond what applies to everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshdMatch {
    /// The settings for root and for an ordinary user; `None` where there is no Match block that could change them.
    pub people: Option<[SshdSettings; 2]>,
    /// The Match blocks, in the order in which sshd reads them.
    pub blocks: Vec<MatchBlock>,
}

/// One Match block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchBlock {
    /// Where it stands, as `FILE:LINE`.
    pub at: String,
    /// Its criteria, as written.
    pub criteria: String,
    /// What it sets of the keywords that decide about logins, in lower case.
    pub sets: Vec<(String, String)>,
}

impl Fact for SshdMatch {
    const ID: &'static str = "security.sshd-match";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["sh", "-c", SCRIPT])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let text = out[0].ok()?;
        if let Some(line) = out[0].stderr.lines().find(|line| line.starts_with("grep: ")) {
            return Err(Unreadable::new(line));
        }
        let (files, people) = match text.split_once("= root\n") {
            Some((files, people)) => {
                let both = people.split_once("= nobody\n").ok_or_else(|| Unreadable::new("sshd -T -C: cut off"))?;
                (files, Some([SshdSettings::read(both.0)?, SshdSettings::read(both.1)?]))
            }
            None => (text, None),
        };
        let lines = files.lines().filter(|line| !line.is_empty()).map(Line::read).collect::<Result<Vec<_>, _>>()?;
        let mut blocks = Vec::new();
        read_file(&lines, MAIN, None, DEEPEST_INCLUDE, &mut blocks)?;
        for block in &blocks {
            let [_, user] =
                people.as_ref().ok_or_else(|| Unreadable::new(format!("{}: sshd was not asked", block.at)))?;
            let inside = user.with(&block.sets);
            let both = inside.root_login().and(inside.password_login().map(drop));
            both.map_err(|why| Unreadable::new(format!("{}: {why}", block.at)))?;
        }
        Ok(Self { people, blocks })
    }
}

/// A line of one of the files, split as sshd splits it.
struct Line<'a> {
    file: &'a str,
    number: &'a str,
    keyword: String,
    value: String,
}

impl<'a> Line<'a> {
    fn read(line: &'a str) -> Result<Self, Unreadable> {
        let read = || {
            let (file, rest) = line.split_once(':')?;
            let (number, text) = rest.split_once(':')?;
            number.parse::<u32>().ok()?;
            let text = text.trim();
            let (keyword, value) = text.split_at(text.find(|at: char| at.is_whitespace() || at == '=')?);
            let value = value.trim_start_matches(|at: char| at.is_whitespace() || at == '=');
            let value = value.split_once(" #").map_or(value, |(value, _)| value);
            let value = value.trim().trim_matches('"').to_owned();
            Some(Line { file, number, keyword: keyword.to_ascii_lowercase(), value })
        };
        read().ok_or_else(|| Unreadable::new(format!("{FOLDER}: {line}")))
    }
}

/// Follows `file` as sshd does: a block ends with the file it stands in, and covers what is included inside it.
fn read_file(
    lines: &[Line<'_>],
    file: &str,
    outer: Option<usize>,
    depth: usize,
    blocks: &mut Vec<MatchBlock>,
) -> Result<(), Unreadable> {
    let deeper = depth.checked_sub(1).ok_or_else(|| Unreadable::new(format!("{file}: includes go too deep")))?;
    let mut block = outer;
    for line in lines.iter().filter(|line| line.file == file) {
        match line.keyword.as_str() {
            "match" => {
                block = Some(blocks.len());
                let at = format!("{}:{}", line.file, line.number);
                blocks.push(MatchBlock { at, criteria: line.value.clone(), sets: Vec::new() });
            }
            "include" => {
                for pattern in line.value.split_whitespace() {
                    for included in included(lines, pattern)? {
                        read_file(lines, included, block, deeper, blocks)?;
                    }
                }
            }
            keyword => {
                if let Some(block) = block.and_then(|at| blocks.get_mut(at)) {
                    let keyword =
                        if keyword.starts_with("challenge") { "kbdinteractiveauthentication" } else { keyword };
                    block.sets.push((keyword.to_owned(), line.value.to_ascii_lowercase()));
                }
            }
        }
    }
    Ok(())
}

/// The files with lines of interest that an Include's pattern names, in the order of their names.
fn included<'a>(lines: &[Line<'a>], pattern: &str) -> Result<Vec<&'a str>, Unreadable> {
    let pattern = pattern.trim_matches('"');
    let path = if pattern.starts_with('/') { pattern.to_owned() } else { format!("{FOLDER}{pattern}") };
    if !path.starts_with(FOLDER) || path.contains("..") || path.contains('[') {
        return Err(Unreadable::new(format!("sshd_config includes {path}, which was not followed")));
    }
    let glob: String = path
        .chars()
        .map(|at| match at {
            '*' => "[^/]*".to_owned(),
            '?' => "[^/]".to_owned(),
            other => regex::escape(&other.to_string()),
        })
        .collect();
    let glob = Regex::new(&format!("^{glob}$")).map_err(|_| Unreadable::new(format!("sshd_config includes {path}")))?;
    let mut files: Vec<_> = lines.iter().map(|line| line.file).filter(|file| glob.is_match(file)).collect();
    files.sort_unstable();
    files.dedup();
    Ok(files)
}

/// What is wanted of everybody, and what no Match block may loosen.
pub struct Limits {
    root: Option<RootLogin>,
    password: Option<bool>,
}

impl Limits {
    /// What `settings` allow beyond the limits.
    fn looser(&self, settings: &SshdSettings) -> Vec<String> {
        let root = settings.root_login().ok().filter(|value| self.root.is_some_and(|most| *value > most));
        let password = settings.password_login().ok().flatten().filter(|_| self.password == Some(false));
        root.map(|value| format!("permitrootlogin {value}")).into_iter().chain(password.map(str::to_owned)).collect()
    }
}

/// No Match block opens what is shut for everybody.
pub struct MatchBlocksNoLooser;

impl Check for MatchBlocksNoLooser {
    type Fact = SshdMatch;
    type Want = Limits;

    fn about(&self) -> &About {
        &About {
            id: "security.match-blocks-no-looser",
            demand: "no Match block of sshd's configuration lets root, or a password alone, in beyond what is expected",
            remedy: "take the setting out of the Match block that is named",
            key: "security.root_login",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Limits> {
        let limits = Limits { root: image.security.root_login, password: image.security.password_login };
        (limits.root.is_some() || limits.password.is_some()).then_some(limits)
    }

    fn judge(&self, got: &SshdMatch, want: &Limits) -> Verdict {
        let mut loose = Vec::new();
        if let Some([root, user]) = &got.people {
            for (who, settings) in [("root", root), ("an ordinary user", user)] {
                loose.extend(want.looser(settings).into_iter().map(|what| format!("for {who}: {what}")));
            }
            for block in got.blocks.iter().filter(|block| !block.sets.is_empty()) {
                let what = want.looser(&user.with(&block.sets));
                if !what.is_empty() {
                    loose.push(format!("{} Match {}: {}", block.at, block.criteria, what.join(", ")));
                }
            }
        }
        let words = match (loose.is_empty(), got.blocks.len()) {
            (false, _) => loose.join("; "),
            (true, 0) => "no Match block".to_owned(),
            (true, 1) => "1 Match block, no looser".to_owned(),
            (true, count) => format!("{count} Match blocks, none looser"),
        };
        let root = want.root.map(|value| format!("permitrootlogin {value} or tighter"));
        let password = want.password.filter(|login| !login).map(|_| "no login by password alone".to_owned());
        let demand = root.into_iter().chain(password).collect::<Vec<_>>().join(", ");
        Verdict::of(loose.is_empty(), demand, words)
    }
}
