//! What dnf is told: its repositories, and the main section of its configuration.

use std::collections::BTreeMap;

use super::{Address, PackageSources};

const OFF: [&str; 3] = ["0", "no", "false"];

/// Reads what the script says after `= dnf`. What dnf does not know it passes over, and so does this.
pub(super) fn read(said: &str) -> PackageSources {
    let mut sections: Vec<(String, String, BTreeMap<String, String>)> = Vec::new();
    let mut last = String::new();
    for (file, text) in said.lines().filter_map(|line| line.split_once(':')) {
        let continues = text.starts_with([' ', '\t']);
        let text = text.trim();
        if text.is_empty() || text.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            sections.push((file.to_owned(), name.to_owned(), BTreeMap::new()));
            continue;
        }
        let Some((_, _, settings)) = sections.last_mut() else { continue };
        if continues && let Some(value) = settings.get_mut(&last) {
            *value = format!("{value} {text}");
        } else if let Some((name, value)) = text.split_once('=') {
            last = name.trim().to_ascii_lowercase();
            settings.insert(last.clone(), value.trim().to_owned());
        }
    }
    let mut found = PackageSources::default();
    for (file, name, settings) in &sections {
        let off = |setting: &str| settings.get(setting).is_some_and(|value| OFF.contains(&value.as_str()));
        if off("enabled") {
            continue;
        }
        let at = format!("{file} [{name}]");
        for setting in ["baseurl", "mirrorlist", "metalink", "proxy"] {
            let uris = settings.get(setting).into_iter().flat_map(|uris| uris.split([' ', ',']));
            let uris = uris.filter(|uri| !uri.is_empty() && *uri != "_none_");
            found
                .addresses
                .extend(uris.map(|uri| Address { uri: uri.trim_end_matches('/').to_owned(), at: at.clone() }));
        }
        let loose = ["gpgcheck", "pkg_gpgcheck", "sslverify"].into_iter().filter(|setting| off(setting));
        found.loose.extend(loose.map(|setting| format!("{setting}={} ({at})", settings[setting])));
        let keys = settings.get("gpgkey").into_iter().flat_map(|keys| keys.split([' ', ',']));
        found.keys.extend(keys.filter(|key| !key.is_empty()).map(str::to_owned));
    }
    found.keys.sort();
    found.keys.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn repositories_that_are_off_do_not_count() {
        let file = |text: &str| {
            text.lines().map(|line| ["/etc/yum.repos.d/a.repo:", line, "\n"].concat()).collect::<Vec<_>>().concat()
        };
        let found = read(&file(
            "[fedora]\nname=Fedora $releasever\n#baseurl=http://download.example/pub/fedora/linux\n\
             metalink=https://mirrors.fedoraproject.org/metalink?repo=fedora-$releasever&arch=$basearch\nenabled=1\n\
             gpgcheck=1\ngpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-fedora\n\n[build]\nbaseurl = http://a.build/x/\n  http://b.build/x\n\
             gpgcheck = 0\n\n[off]\nbaseurl=http://off.example\nenabled=0\ngpgcheck=0\n",
        ));
        let uris: Vec<_> = found.addresses.iter().map(|one| one.uri.as_str()).collect();
        let metalink = "https://mirrors.fedoraproject.org/metalink?repo=fedora-$releasever&arch=$basearch";
        assert_eq!(uris, [metalink, "http://a.build/x", "http://b.build/x"]);
        assert_eq!(found.loose, ["gpgcheck=0 (/etc/yum.repos.d/a.repo [build])"]);
        assert_eq!(found.keys, ["file:///etc/pki/rpm-gpg/RPM-GPG-KEY-fedora"]);
    }
}
