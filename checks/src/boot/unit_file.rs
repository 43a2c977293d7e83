//! One line of the list of unit files.

/// The folders of units, in the order in which systemd prefers them.
pub(super) const FOLDERS: [&str; 10] = [
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/run/systemd/generator.late",
];

/// One file or link.
pub(super) struct File<'a> {
    /// Place of its folder among [`FOLDERS`].
    pub(super) rank: usize,
    /// Whether it is in a folder of the administrator.
    pub(super) by_hand: bool,
    /// The folder in the folder of units.
    pub(super) folder: Option<&'a str>,
    /// Its name.
    pub(super) name: &'a str,
    /// Its size in bytes.
    pub(super) size: u64,
    /// What a link points to; nothing for a file.
    pub(super) target: Option<&'a str>,
}

impl<'a> File<'a> {
    /// Reads `path size kind target`, parted by tabs.
    pub(super) fn read(line: &'a str) -> Option<Self> {
        let columns: Vec<_> = line.split('\t').collect();
        let &[path, size, kind, target] = columns.as_slice() else { return None };
        let inside = |at: &str| path.strip_prefix(at).and_then(|rest| rest.strip_prefix('/'));
        let (rank, rest) = FOLDERS.iter().enumerate().find_map(|(rank, folder)| Some((rank, inside(folder)?)))?;
        let (folder, name) = rest.split_once('/').map_or((None, rest), |(folder, name)| (Some(folder), name));
        let by_hand = ["/etc/", "/run/systemd/system/"].iter().any(|folder| path.starts_with(folder));
        Some(Self { rank, by_hand, folder, name, size: size.parse().ok()?, target: (kind == "l").then_some(target) })
    }
}
