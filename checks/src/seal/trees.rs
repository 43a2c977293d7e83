//! What stands in every file system and snapshot, and on the EFI system partition: one walk for all that ask about files.

use std::time::Duration;

use super::WALK_NAME;
use crate::{
    fact::{Fact, Unreadable},
    probe::{Output, Probe},
};

/// The answer of the walk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trees {
    /// The pools, with the bytes that they have allocated.
    pub pools: Vec<(String, u64)>,
    /// Each tree that was walked.
    pub trees: Vec<Tree>,
    /// What was not looked into, with the reason.
    pub closed: Vec<(String, String)>,
}

/// A file system, a snapshot, or the EFI system partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Data set, data set and snapshot, or `esp`.
    pub name: String,
    /// Where it belongs, by absolute path; `-` where that is not said.
    pub at: String,
    /// Files with the places of the tree that matter.
    pub files: Vec<File>,
    /// What a look into the files found.
    pub found: Vec<Found>,
}

/// One regular file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Absolute path in the running system.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its permissions, as in `0o600`.
    pub mode: u32,
    /// Its owner's number.
    pub owner: u32,
}

/// What a look into a file found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A private key, in the file of this path.
    PrivateKey(String),
    /// What this rule takes for a secret, in the file of this path.
    Secret(String, String),
    /// The hash of a password, locked or not: the path of the list, and the name it belongs to.
    Hash(String, String),
    /// The first line of a file that identifies the machine: path and content.
    Text(String, String),
    /// The bytes of `/etc/hostid`, in hexadecimal.
    HostId(String),
    /// A line that names cloud-init's data sources: path and line.
    Sources(String, String),
    /// A place that holds names which a line cannot tell.
    Odd(String),
}

impl Tree {
    /// Whether it is a root file system.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.at == "/"
    }

    /// Whether it is a snapshot.
    #[must_use]
    pub fn is_snapshot(&self) -> bool {
        self.name.contains('@')
    }

    /// The content of a file that identifies the machine.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.found.iter().find_map(|found| match found {
            Found::Text(of, text) if of == path => Some(text.as_str()),
            _ => None,
        })
    }

    /// Absolute path of what the walk calls `path`.
    fn absolute(&self, path: &str) -> String {
        match self.at.as_str() {
            "/" => path.to_owned(),
            "-" => format!("{}:{path}", self.name),
            at => format!("{at}{path}"),
        }
    }
}

impl Trees {
    /// The root file systems and their snapshots.
    pub(super) fn roots(&self) -> impl Iterator<Item = &Tree> {
        self.trees.iter().filter(|tree| tree.is_root())
    }

    /// How many trees were walked, in words.
    pub(super) fn count(&self) -> String {
        let snapshots = self.trees.iter().filter(|tree| tree.is_snapshot()).count();
        format!("{} trees, {snapshots} of them snapshots", self.trees.len())
    }

    fn line(&mut self, kind: &str, fields: &[&str]) -> Option<()> {
        match (kind, fields) {
            ("pool", [name, bytes]) => self.pools.push(((*name).to_owned(), bytes.parse().ok()?)),
            ("closed", [name, why]) => self.closed.push(((*name).to_owned(), (*why).to_owned())),
            ("tree", [number, name, at]) => {
                if number.parse() != Ok(self.trees.len()) {
                    return None;
                }
                self.trees.push(Tree { name: (*name).to_owned(), at: (*at).to_owned(), ..Tree::default() });
            }
            ("file", [number, bytes, mode, owner, path @ ..]) => {
                let (bytes, owner) = (bytes.parse().ok()?, owner.parse().ok()?);
                let mode = u32::from_str_radix(mode, 8).ok()?;
                let tree = self.last(number)?;
                // A tab is one of the characters that a name may have.
                let path = tree.absolute(&path.join("\t"));
                tree.files.push(File { path, bytes, mode, owner });
            }
            (kind, [number, fields @ ..]) => {
                let tree = self.last(number)?;
                let found = match (kind, fields) {
                    ("key", path) => Found::PrivateKey(tree.absolute(&path.join("\t"))),
                    ("secret", [rule, path @ ..]) => Found::Secret((*rule).to_owned(), tree.absolute(&path.join("\t"))),
                    ("hash", [list, name]) => Found::Hash((*list).to_owned(), (*name).to_owned()),
                    ("text", [path, text]) => Found::Text((*path).to_owned(), (*text).to_owned()),
                    ("hostid", [hex]) => Found::HostId((*hex).to_owned()),
                    ("sources", [path, line]) => Found::Sources(tree.absolute(path), (*line).to_owned()),
                    ("odd", [place]) => Found::Odd(tree.absolute(place)),
                    _ => return None,
                };
                tree.found.push(found);
            }
            _ => return None,
        }
        Some(())
    }

    /// The tree that is being told of, which has to have that number.
    fn last(&mut self, number: &str) -> Option<&mut Tree> {
        let last = self.trees.len().checked_sub(1)?;
        if number.parse() == Ok(last) { self.trees.last_mut() } else { None }
    }
}

impl Fact for Trees {
    const ID: &'static str = "seal.trees";

    fn probes() -> Vec<Probe> {
        vec![Probe::offline([WALK_NAME, "files"]).limit(Duration::from_mins(20)).bound(16 << 20)]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let trees = Self::read(&out[0])?;
        if trees.roots().next().is_none() {
            return Err(Unreadable::new("no root file system was walked"));
        }
        Ok(trees)
    }
}

impl Trees {
    /// Reads what the walk says, whatever it was asked.
    pub(super) fn read(out: &Output) -> Result<Self, Unreadable> {
        let whole = out.ok()?.strip_suffix("end\n").filter(|rest| rest.is_empty() || rest.ends_with('\n'));
        let whole = whole.ok_or_else(|| Unreadable::new("the walk did not come to its end"))?;
        let mut trees = Self::default();
        for line in whole.lines() {
            let (kind, fields) = line.split_once('\t').unwrap_or((line, ""));
            let fields: Vec<_> = fields.split('\t').collect();
            trees
                .line(kind, &fields)
                .ok_or_else(|| Unreadable::new(format!("a line that the walk does not write: {line}")))?;
        }
        Ok(trees)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{File, Found, Trees};
    use crate::{Exit, Fact, Output};

    fn parse(stdout: &str) -> Result<Trees, String> {
        let (stdout, stderr) = (stdout.to_owned(), String::new());
        let output = Output { exit: Exit::Code(0), stdout, stderr, truncated: false, took: Duration::ZERO };
        Trees::parse(&[output]).map_err(|why| why.to_string())
    }

    #[test]
    fn paths_are_those_of_the_running_system() {
        let said = "pool\trpool\t4096\nclosed\trpool/keys\tencrypted\ntree\t0\trpool/ROOT\t/\n\
                    file\t0\t3\t600\t0\t/etc/a\tb\ntext\t0\t/etc/machine-id\t\n\
                    tree\t1\trpool/home@x\t/home\nfile\t1\t0\t644\t1000\t/user/.profile\nkey\t1\t/user/k\nend\n";
        let trees = parse(said).unwrap();
        assert_eq!(trees.pools, [("rpool".to_owned(), 4096)]);
        assert_eq!(trees.trees[0].files, [File { path: "/etc/a\tb".to_owned(), bytes: 3, mode: 0o600, owner: 0 }]);
        assert_eq!(trees.trees[0].text("/etc/machine-id"), Some(""));
        assert_eq!(trees.trees[1].files[0].path, "/home/user/.profile");
        assert_eq!(trees.trees[1].found, [Found::PrivateKey("/home/user/k".to_owned())]);
        assert_eq!(trees.count(), "2 trees, 1 of them snapshots");
    }

    #[test]
    fn what_is_not_whole_is_unreadable() {
        let root = "tree\t0\tr\t/\n";
        assert_eq!(parse(root).unwrap_err(), "the walk did not come to its end");
        assert_eq!(parse("end\n").unwrap_err(), "no root file system was walked");
        for line in ["file\t1\t3\t600\t0\t/a", "file\t0\tx\t600\t0\t/a", "tree\t2\tr\t/", "word", "key\t", "hash\t0\ta"]
        {
            let error = parse(&format!("{root}{line}\nend\n")).unwrap_err();
            assert_eq!(error, format!("a line that the walk does not write: {line}"));
        }
    }
}
