//! What stands in the file systems of the running machine: one walk for all that ask about files.
//!
//! The walk itself leaves out what nobody asks about, so that its answer stays short.

use std::time::Duration;

use crate::{
    fact::{Fact, Unreadable},
    probe::{Output, Probe},
    traits::{Group, Traits},
};

/// What tells of every file that somebody asks about.
const WALK: &str = include_str!("inventory.sh");
/// What kverify's own seed makes: the key by which it logs in.
const SEEDED_KEYS: &str = "/home/kverify/.ssh/authorized_keys";

/// Places whose files come and go.
const TEMPORARY: [&str; 3] = ["/run/", "/tmp/", "/var/tmp/"];

/// The files that somebody asks about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory(pub Vec<Found>);

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it is looked for as.
    pub kind: FoundKind,
    /// What there is to say of it: its permissions, its owner, or nothing.
    pub what: String,
    /// Its absolute path.
    pub path: String,
}

/// What a file is looked for as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundKind {
    /// Keys that an SSH server lets in.
    AuthorizedKeys,
    /// A program with capabilities, whose line ends with them.
    Capability,
    /// The memory of a program that crashed.
    Core,
    /// A block or character device.
    Device,
    /// A history of what was typed, or of hosts that were reached.
    History,
    /// Something that a build or an installer leaves, or that is temporary.
    Left,
    /// What a package manager puts aside.
    Package,
    /// A private key, by its content.
    PrivateKey,
    /// A program that runs with the rights of its owner or group.
    Setid,
    /// A file whose owner or group has no name.
    Unowned,
    /// A file that everybody may write, or such a folder without a sticky bit.
    WorldWritable,
}

impl FoundKind {
    /// What is told of such a file in release notes. Capabilities are another fact's; what a build, a shell or a crash left
    /// is not made of the image.
    fn told(self) -> Option<&'static str> {
        match self {
            Self::AuthorizedKeys => Some("authorized keys"),
            Self::Device => Some("device"),
            Self::Package => Some("put aside"),
            Self::PrivateKey => Some("private key"),
            Self::Setid => Some("set-id"),
            Self::Unowned => Some("unowned"),
            Self::WorldWritable => Some("open to all"),
            Self::Capability | Self::Core | Self::History | Self::Left => None,
        }
    }
}

impl Inventory {
    /// The probe, which is shared.
    pub(super) fn probe() -> Probe {
        Probe::root(["sh", "-c", WALK]).limit(Duration::from_mins(5)).bound(4 << 20)
    }

    /// The files that are looked for as `kind`.
    pub fn of(&self, kind: FoundKind) -> impl Iterator<Item = &Found> {
        self.0.iter().filter(move |found| found.kind == kind)
    }

    /// Reads what the walk says.
    pub(super) fn read(out: &Output) -> Result<Self, Unreadable> {
        // A file may go while the walk comes by; nothing else is to be passed over.
        let gone = |line: &&str| line.ends_with("No such file or directory");
        if let Some(line) = out.stderr.lines().find(|line| !gone(line)) {
            return Err(Unreadable::new(line));
        }
        let whole = out.ok()?.strip_suffix("end\n");
        let whole = whole.ok_or_else(|| Unreadable::new("the walk did not come to its end"))?;
        let mut found = Vec::new();
        for line in whole.lines().filter(|line| *line != "capabilities") {
            found.push(line_of(line).ok_or_else(|| Unreadable::new(format!("inventory: {line}")))?);
        }
        if !found.iter().any(|one| one.kind == FoundKind::Setid) {
            return Err(Unreadable::new("no setuid program was seen, so the system was not walked"));
        }
        Ok(Self(found.into_iter().filter(|one| one.path != SEEDED_KEYS).collect()))
    }
}

fn line_of(line: &str) -> Option<Found> {
    let (kind, rest) = line.split_once('\t')?;
    let kind = match kind {
        "authorized" => FoundKind::AuthorizedKeys,
        "capability" => FoundKind::Capability,
        "core" => FoundKind::Core,
        "device" => FoundKind::Device,
        "history" => FoundKind::History,
        "key" => FoundKind::PrivateKey,
        "left" => FoundKind::Left,
        "open" => FoundKind::WorldWritable,
        "package" => FoundKind::Package,
        "setid" => FoundKind::Setid,
        "unowned" => FoundKind::Unowned,
        _ => return None,
    };
    let (what, path) = match kind {
        FoundKind::Setid => {
            let (mode, rest) = rest.split_once('\t')?;
            let (owner, path) = rest.split_once('\t')?;
            (format!("{mode} {owner}"), path)
        }
        _ => rest.split_once('\t').map(|(what, path)| (what.to_owned(), path))?,
    };
    path.starts_with('/').then(|| Found { kind, what, path: path.to_owned() })
}

impl Fact for Inventory {
    const ID: &'static str = "security.inventory";
    const GROUPS: &'static [Group] = &[Group::Files];

    fn probes() -> Vec<Probe> {
        vec![Self::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        Self::read(&out[0])
    }

    fn tell(&self, traits: &mut Traits) {
        for Found { kind, what, path } in &self.0 {
            if let Some(word) = kind.told().filter(|_| !TEMPORARY.iter().any(|place| path.starts_with(place))) {
                traits.put(Group::Files, path, format_args!("{word} {what}").to_string().trim_end());
            }
        }
    }
}

/// The capabilities of programs; apart, since not every machine has the tool that tells them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCapabilities(pub Vec<String>);

impl Fact for FileCapabilities {
    const ID: &'static str = "security.file-capabilities";
    const GROUPS: &'static [Group] = &[Group::Files];

    fn probes() -> Vec<Probe> {
        vec![Inventory::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        if !out[0].whole()?.lines().any(|line| line == "capabilities") {
            return Err(Unreadable::new("no program getcap, so nothing tells capabilities"));
        }
        let inventory = Inventory::read(&out[0])?;
        Ok(Self(inventory.of(FoundKind::Capability).map(|found| found.path.clone()).collect()))
    }

    fn tell(&self, traits: &mut Traits) {
        for line in &self.0 {
            let (path, capabilities) = line.rsplit_once(' ').unwrap_or((line, ""));
            traits.put(Group::Files, path, capabilities);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{FileCapabilities, Found, FoundKind, Inventory};
    use crate::{Exit, Fact, Output};

    const SU: &str = "setid\t4755\troot:root\t/usr/bin/su\n";

    fn output(stdout: &str, stderr: &str) -> Output {
        let (stdout, stderr) = (stdout.to_owned(), stderr.to_owned());
        Output { exit: Exit::Code(0), stdout, stderr, truncated: false, took: Duration::ZERO }
    }

    fn parse(stdout: &str, stderr: &str) -> Result<Inventory, String> {
        Inventory::parse(&[output(stdout, stderr)]).map_err(|why| why.to_string())
    }

    #[test]
    fn lines_are_read_and_the_seeds_key_is_not_told() {
        let said = format!(
            "{SU}open\t777\t/srv/a\tb\nauthorized\t\t/home/kverify/.ssh/authorized_keys\nunowned\t1234:0\t/opt/x\nend\n"
        );
        let found = parse(&said, "find: '/tmp/x': No such file or directory\n").unwrap();
        let (what, path) = ("777".to_owned(), "/srv/a\tb".to_owned());
        assert_eq!(found.0[0].what, "4755 root:root");
        assert_eq!(found.0[1], Found { kind: FoundKind::WorldWritable, what, path });
        assert_eq!(found.0.len(), 3);
    }

    #[test]
    fn what_is_not_whole_is_unreadable() {
        assert_eq!(parse(SU, "").unwrap_err(), "the walk did not come to its end");
        assert_eq!(parse("end\n", "").unwrap_err(), "no setuid program was seen, so the system was not walked");
        assert_eq!(parse(&format!("{SU}odd\nend\n"), "").unwrap_err(), "inventory: odd");
        assert_eq!(parse(&format!("{SU}end\n"), "sh: 1: find: not found\n").unwrap_err(), "sh: 1: find: not found");
    }

    #[test]
    fn capabilities_need_the_tool() {
        let ping = format!("capabilities\n{SU}capability\t\t/usr/bin/ping cap_net_raw=ep\nend\n");
        assert_eq!(FileCapabilities::parse(&[output(&ping, "")]).unwrap().0, ["/usr/bin/ping cap_net_raw=ep"]);
        let error = FileCapabilities::parse(&[output(&format!("{SU}end\n"), "")]).unwrap_err();
        assert_eq!(error.to_string(), "no program getcap, so nothing tells capabilities");
    }
}
