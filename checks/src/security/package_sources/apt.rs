//! What apt is told: sources in both formats, and the settings that it ends up with.

use std::collections::BTreeMap;

use super::{Address, PackageSources};
use crate::fact::Unreadable;

/// Options of a source and settings by which something is not checked, with the value that does it; of a setting the
/// last parts of its name.
const LOOSE: [(&str, bool); 11] = [
    ("trusted", true),
    ("allow-insecure", true),
    ("allow-weak", true),
    ("allow-downgrade-to-insecure", true),
    ("check-valid-until", false),
    ("check-date", false),
    ("allowunauthenticated", true),
    ("allowinsecurerepositories", true),
    ("allowdowngradetoinsecurerepositories", true),
    ("verify-peer", false),
    ("verify-host", false),
];

/// One source: the file, its options by name in lower case, and its addresses.
struct Source {
    at: String,
    options: BTreeMap<String, String>,
    uris: Vec<String>,
}

/// Reads what the script says after `= apt`.
pub(super) fn read(said: &str) -> Result<PackageSources, Unreadable> {
    let cut = || Unreadable::new("apt: cut off");
    let (files, rest) = said.split_once("= settings\n").ok_or_else(cut)?;
    let (settings, keys) = rest.split_once("= keys\n").ok_or_else(cut)?;
    let mut found = PackageSources { keys: keys.lines().map(str::to_owned).collect(), ..PackageSources::default() };
    for source in sources(files)? {
        found.addresses.extend(source.uris.into_iter().map(|uri| Address { uri, at: source.at.clone() }));
        let loose = source.options.iter().filter(|(name, value)| loosens(name, value));
        found.loose.extend(loose.map(|(name, value)| format!("{name}={value} ({})", source.at)));
        if let Some(key) = source.options.get("signed-by").filter(|key| key.starts_with('/')) {
            found.keys.extend(key.split([',', ' ']).filter(|key| !key.is_empty()).map(str::to_owned));
        }
    }
    let mut folder = false;
    for line in settings.lines() {
        let (name, value) = setting(line).ok_or_else(|| Unreadable::new(format!("apt-config: {line}")))?;
        match name.to_ascii_lowercase().as_str() {
            "dir::etc" => folder = value.trim_matches('/') == "etc/apt",
            "dir" if value != "/" => return Err(Unreadable::new(format!("apt looks elsewhere: {line}"))),
            "dir::etc::sourcelist" if value != "sources.list" => {
                return Err(Unreadable::new(format!("apt looks elsewhere: {line}")));
            }
            "dir::etc::sourceparts" if value != "sources.list.d" => {
                return Err(Unreadable::new(format!("apt looks elsewhere: {line}")));
            }
            lower => {
                let proxy = lower.contains("::proxy") && value.contains("://");
                if proxy {
                    found.addresses.push(Address { uri: value.to_owned(), at: name.to_owned() });
                } else if lower.rsplit("::").any(|part| loosens(part, value)) {
                    found.loose.push(format!("{name} \"{value}\""));
                }
            }
        }
    }
    found.keys.sort();
    found.keys.dedup();
    if folder { Ok(found) } else { Err(Unreadable::new("apt-config does not say that apt reads /etc/apt")) }
}

/// Reads `Name "value";`.
fn setting(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(' ')?;
    Some((name, value.trim().strip_suffix(';')?.trim_matches('"')))
}

fn loosens(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let truth = match value.to_ascii_lowercase().as_str() {
        "yes" | "true" | "with" | "on" | "enable" | "1" => Some(true),
        "no" | "false" | "without" | "off" | "disable" | "0" => Some(false),
        _ => None,
    };
    LOOSE.iter().any(|(loose, by)| *loose == name && truth == Some(*by))
}

fn sources(files: &str) -> Result<Vec<Source>, Unreadable> {
    let mut sources = Vec::new();
    let mut paragraph: Option<(String, Vec<&str>)> = None;
    for line in files.lines() {
        let (file, text) = line.split_once(':').ok_or_else(|| Unreadable::new(format!("sources: {line}")))?;
        if !file.ends_with(".sources") {
            sources.extend(one_line(file, text)?);
            continue;
        }
        // A paragraph ends at an empty line, or with its file.
        if paragraph.as_ref().is_some_and(|(at, _)| at != file || text.trim().is_empty()) {
            sources.extend(paragraph.take().map(|(at, lines)| deb822(&at, &lines)).transpose()?.flatten());
        }
        if !text.trim().is_empty() && !text.starts_with('#') {
            paragraph.get_or_insert_with(|| (file.to_owned(), Vec::new())).1.push(text);
        }
    }
    sources.extend(paragraph.map(|(at, lines)| deb822(&at, &lines)).transpose()?.flatten());
    Ok(sources)
}

/// Reads `deb [trusted=yes] http://… suite component`.
fn one_line(file: &str, text: &str) -> Result<Option<Source>, Unreadable> {
    let text = text.split_once('#').map_or(text, |(text, _)| text).trim();
    if text.is_empty() {
        return Ok(None);
    }
    let bad = || Unreadable::new(format!("{file}: {text}"));
    let (kind, rest) = text.split_once(char::is_whitespace).ok_or_else(bad)?;
    if kind != "deb" && kind != "deb-src" {
        return Err(bad());
    }
    let rest = rest.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or_else(bad)?,
        None => ("", rest),
    };
    let options = options.split_whitespace().filter_map(|option| option.split_once('='));
    let options = options.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    // The name of a disc may hold blanks: `cdrom:[Debian 13 …]/`.
    let uri = rest.trim_start();
    let end = if uri.starts_with("cdrom:[") { uri.find(']').map(|at| at + 1) } else { Some(0) };
    let end = end.map(|from| uri[from..].find(char::is_whitespace).map_or(uri.len(), |at| from + at));
    let uri = &uri[..end.ok_or_else(bad)?];
    if uri.is_empty() {
        return Err(bad());
    }
    Ok(Some(Source { at: file.to_owned(), options, uris: vec![uri.trim_end_matches('/').to_owned()] }))
}

/// Reads a paragraph of `Name: value` lines; `None` if it is switched off.
fn deb822(file: &str, lines: &[&str]) -> Result<Option<Source>, Unreadable> {
    let mut options: BTreeMap<String, String> = BTreeMap::new();
    let mut last = String::new();
    for line in lines {
        if line.starts_with([' ', '\t']) {
            let value = options.get_mut(&last).ok_or_else(|| Unreadable::new(format!("{file}: {line}")))?;
            *value = format!("{value} {}", line.trim());
        } else {
            let (name, value) = line.split_once(':').ok_or_else(|| Unreadable::new(format!("{file}: {line}")))?;
            last = name.trim().to_ascii_lowercase();
            options.insert(last.clone(), value.trim().to_owned());
        }
    }
    let off = |value: &String| {
        ["no", "false", "without", "off", "disable", "0"].contains(&value.to_ascii_lowercase().as_str())
    };
    if options.get("enabled").is_some_and(off) {
        return Ok(None);
    }
    let uris = options.get("uris").map(|uris| uris.split_whitespace().map(|uri| uri.trim_end_matches('/').to_owned()));
    let uris: Vec<_> = uris.into_iter().flatten().collect();
    if uris.is_empty() {
        return Err(Unreadable::new(format!("{file}: a paragraph without URIs")));
    }
    Ok(Some(Source { at: file.to_owned(), options, uris }))
}

#[cfg(test)]
mod tests {
    use super::read;

    const REST: &str = "= settings\nDir \"/\";\nDir::Etc \"etc/apt\";\nDir::Etc::sourcelist \"sources.list\";\n\
                        Dir::Etc::sourceparts \"sources.list.d\";\n";

    fn told(files: &str, settings: &str) -> (Vec<String>, Vec<String>, Vec<String>) {
        let found = read(&format!("{files}{REST}{settings}= keys\n/etc/apt/trusted.gpg.d/a.asc\n")).unwrap();
        (found.addresses.into_iter().map(|one| one.uri).collect(), found.loose, found.keys)
    }

    #[test]
    fn both_formats_are_read() {
        let files = "/etc/apt/sources.list:# deb http://old.example/ x main\n\
                     /etc/apt/sources.list:deb [ arch=amd64 trusted=yes ] http://a.example/debian/ trixie main\n\
                     /etc/apt/sources.list:deb cdrom:[Debian 13 _Trixie_]/ trixie main\n\
                     /etc/apt/sources.list.d/b.sources:Types: deb\n\
                     /etc/apt/sources.list.d/b.sources:URIs: https://b.example/debian\n\
                     /etc/apt/sources.list.d/b.sources: copy:///srv/repo\n\
                     /etc/apt/sources.list.d/b.sources:Allow-Weak: YES\n\
                     /etc/apt/sources.list.d/b.sources:Signed-By: /usr/share/keyrings/b.gpg\n\
                     /etc/apt/sources.list.d/b.sources:\n\
                     /etc/apt/sources.list.d/b.sources:Types: deb\n\
                     /etc/apt/sources.list.d/b.sources:URIs: http://off.example\n\
                     /etc/apt/sources.list.d/b.sources:Trusted: yes\n\
                     /etc/apt/sources.list.d/b.sources:Enabled: no\n";
        let (uris, loose, keys) = told(files, "");
        let wanted =
            ["http://a.example/debian", "cdrom:[Debian 13 _Trixie_]", "https://b.example/debian", "copy:///srv/repo"];
        assert_eq!(uris, wanted);
        assert_eq!(
            loose,
            ["trusted=yes (/etc/apt/sources.list)", "allow-weak=YES (/etc/apt/sources.list.d/b.sources)"]
        );
        assert_eq!(keys, ["/etc/apt/trusted.gpg.d/a.asc", "/usr/share/keyrings/b.gpg"]);
    }

    #[test]
    fn settings_that_let_in_and_proxies_are_told() {
        let settings = "APT::Get::AllowUnauthenticated \"1\";\nAcquire::AllowInsecureRepositories \"false\";\n\
                        Acquire::Check-Valid-Until \"no\";\nAcquire::https::mirror.example::Verify-Peer \"false\";\n\
                        Acquire::http::Proxy \"http://cache.build:3142\";\nAcquire::http::Proxy::deb.debian.org \"DIRECT\";\n";
        let (uris, loose, _) = told("", settings);
        assert_eq!(uris, ["http://cache.build:3142"]);
        let wanted = [
            "APT::Get::AllowUnauthenticated \"1\"",
            "Acquire::Check-Valid-Until \"no\"",
            "Acquire::https::mirror.example::Verify-Peer \"false\"",
        ];
        assert_eq!(loose, wanted);
    }

    #[test]
    fn what_is_read_elsewhere_or_not_at_all_is_unreadable() {
        let error =
            |files: &str, settings: &str| read(&format!("{files}{REST}{settings}= keys\n")).unwrap_err().to_string();
        assert_eq!(
            error("", "Dir::Etc::sourcelist \"x.list\";\n"),
            "apt looks elsewhere: Dir::Etc::sourcelist \"x.list\";"
        );
        assert_eq!(error("/etc/apt/sources.list:dep http://x y\n", ""), "/etc/apt/sources.list: dep http://x y");
        assert_eq!(
            error("/etc/apt/sources.list.d/a.sources:Types: deb\n", ""),
            "/etc/apt/sources.list.d/a.sources: a paragraph without URIs"
        );
    }
}
