//! Where the machine takes packages from: the sources of apt, dnf, pacman and apk, and whether signatures are looked at.

use toml::Value;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
    traits::{Group, Traits},
};

/// The sources of packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    /// Those that are switched on, in the order of their files.
    pub sources: Vec<Source>,
    /// Settings that let packages in without a signature, each with its file.
    pub unchecked: Vec<String>,
}

/// One source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What it is called: `trixie main contrib`, `deb-src trixie main`, a section of dnf or pacman, an address of apk.
    pub name: String,
    /// The file that has it.
    pub file: String,
}

const SCRIPT: &str = "grep -aHs '' /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources \
/etc/apt/apt.conf /etc/apt/apt.conf.d/* /etc/dnf/dnf.conf /etc/yum.conf /etc/yum.repos.d/*.repo /etc/pacman.conf \
/etc/apk/repositories; exit 0";

impl Fact for Sources {
    const ID: &'static str = "packages.sources";
    const GROUPS: &'static [Group] = &[Group::Sources];

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["sh", "-c", SCRIPT])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let mut files: Vec<(&str, Vec<&str>)> = Vec::new();
        for line in out[0].ok()?.lines() {
            let (file, line) = line.split_once(':').ok_or_else(|| Unreadable::new(format!("no file named: {line}")))?;
            match files.last_mut() {
                Some((last, lines)) if *last == file => lines.push(line),
                _ => files.push((file, vec![line])),
            }
        }
        if files.is_empty() {
            return Err(Unreadable::new("no configuration of apt, dnf, pacman or apk"));
        }
        let mut read = Self { sources: Vec::new(), unchecked: Vec::new() };
        for (file, lines) in files {
            match file {
                "/etc/apk/repositories" => read.plain(file, &lines),
                _ if file.ends_with(".sources") => read.stanzas(file, &lines),
                _ if file.starts_with("/etc/apt/apt.conf") => read.settings(file, &lines),
                _ if file.starts_with("/etc/apt/") => read.one_line(file, &lines)?,
                _ => read.sections(file, &lines),
            }
        }
        Ok(read)
    }

    fn tell(&self, traits: &mut Traits) {
        for source in &self.sources {
            traits.put(Group::Sources, &source.name, &source.file);
        }
        for setting in &self.unchecked {
            traits.put(Group::Sources, setting.trim(), "lets packages in unchecked");
        }
    }
}

impl Sources {
    fn add(&mut self, file: &str, name: impl Into<String>) {
        self.sources.push(Source { name: name.into(), file: file.to_owned() });
    }

    fn let_in(&mut self, file: &str, setting: &str) {
        self.unchecked.push(format!("{setting} ({file})"));
    }

    fn plain(&mut self, file: &str, lines: &[&str]) {
        lines.iter().map(|line| bare(line)).filter(|line| !line.is_empty()).for_each(|line| self.add(file, line));
    }

    /// `deb [trusted=yes] http://… trixie main`.
    fn one_line(&mut self, file: &str, lines: &[&str]) -> Result<(), Unreadable> {
        for line in lines.iter().map(|line| bare(line)).filter(|line| !line.is_empty()) {
            let unread = || Unreadable::new(format!("{file}: not a source: {line}"));
            let (kind, rest) = line.split_once(char::is_whitespace).ok_or_else(unread)?;
            let (options, rest) = match rest.trim_start().strip_prefix('[') {
                Some(rest) => rest.split_once(']').ok_or_else(unread)?,
                None => ("", rest),
            };
            for option in options.split_whitespace().filter(|option| insecure(option)) {
                self.let_in(file, option);
            }
            let mut words = rest.split_whitespace();
            words.next().ok_or_else(unread)?;
            let name = words.collect::<Vec<_>>().join(" ");
            match kind {
                "deb" if !name.is_empty() => self.add(file, name),
                "deb-src" => self.add(file, format!("deb-src {name}")),
                _ => return Err(unread()),
            }
        }
        Ok(())
    }

    /// Stanzas of `Field: value`, the value going on in lines that begin with a blank.
    fn stanzas(&mut self, file: &str, lines: &[&str]) {
        for stanza in lines.split(|line| line.trim().is_empty()) {
            let mut fields: Vec<(String, String)> = Vec::new();
            for line in stanza.iter().filter(|line| !line.starts_with('#')) {
                match (line.strip_prefix([' ', '\t']), line.split_once(':'), fields.last_mut()) {
                    (Some(more), _, Some((_, value))) => *value = format!("{value} {}", more.trim()),
                    (None, Some((field, value)), _) => fields.push((field.to_lowercase(), value.trim().to_owned())),
                    _ => {}
                }
            }
            let of =
                |name: &str| fields.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.as_str());
            if fields.is_empty() || ["no", "false", "0"].contains(&of("enabled").to_lowercase().as_str()) {
                continue;
            }
            for (field, value) in fields.iter().filter(|(field, value)| insecure(&format!("{field}={value}"))) {
                self.let_in(file, &format!("{field}: {value}"));
            }
            for kind in of("types").split_whitespace() {
                for suite in of("suites").split_whitespace() {
                    let kind = if kind == "deb" { String::new() } else { format!("{kind} ") };
                    self.add(file, format!("{kind}{suite} {}", of("components")).trim_end());
                }
            }
        }
    }

    /// `APT::Get::AllowUnauthenticated "true";`.
    fn settings(&mut self, file: &str, lines: &[&str]) {
        for line in lines.iter().map(|line| line.split("//").next().unwrap_or_default().trim()) {
            let lower = line.to_lowercase();
            let named = [
                "allowunauthenticated",
                "allowinsecurerepositories",
                "allowweakrepositories",
                "allowdowngradetoinsecure",
            ];
            let on = |rest: &str| {
                let value = rest.trim_start_matches([' ', '\t', '"']);
                ["true", "1", "yes", "on", "with", "enable"].iter().any(|word| value.starts_with(word))
            };
            let names_one = |name: &&str| lower.split_once(*name).is_some_and(|(_, rest)| on(rest));
            if !lower.starts_with('#') && named.iter().any(names_one) {
                self.let_in(file, line);
            }
        }
    }

    /// Sections of dnf and of pacman; `[main]` and `[options]` are none of sources.
    fn sections(&mut self, file: &str, lines: &[&str]) {
        let set = |line: &str| {
            Some(line.split_once('=')?).map(|(key, value)| (key.trim().to_lowercase(), value.trim().to_lowercase()))
        };
        for section in
            lines.iter().map(|line| bare(line)).collect::<Vec<_>>().chunk_by(|_, next| !next.starts_with('['))
        {
            let name = section.first().and_then(|first| first.strip_prefix('[')?.strip_suffix(']')).unwrap_or("main");
            let settings: Vec<_> = section.iter().filter_map(|line| set(line)).collect();
            let off = |value: &str| ["0", "no", "false", "off"].contains(&value);
            if settings.iter().any(|(key, value)| key == "enabled" && off(value)) {
                continue;
            }
            for (key, value) in &settings {
                let signature = ["gpgcheck", "pkg_gpgcheck", "sslverify"].contains(&key.as_str()) && off(value);
                if signature || key == "siglevel" && (value.contains("never") || value.contains("trustall")) {
                    self.let_in(file, &format!("[{name}] {key}={value}"));
                }
            }
            if !["main", "options"].contains(&name) {
                self.add(file, name);
            }
        }
    }
}

/// Without the comment, without blanks around it.
fn bare(line: &str) -> &str {
    line.split('#').next().unwrap_or_default().trim()
}

fn insecure(option: &str) -> bool {
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    ["trusted", "allow-insecure", "allow-weak", "allow-downgrade-to-insecure"].contains(&name.to_lowercase().as_str())
        && ["yes", "true", "1", "on"].contains(&value.to_lowercase().as_str())
}

/// The machine takes packages from the declared sources.
pub struct SourcesAsDeclared;

impl Check for SourcesAsDeclared {
    type Fact = Sources;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "packages.sources-as-declared",
            demand: "packages are taken from the declared suites and components (or repositories), and no others",
            remedy: "remove the further ones from /etc/apt/sources.list.d or /etc/yum.repos.d, add those that are missing",
            key: "packages.sources",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        image.packages.sources.clone()
    }

    fn judge(&self, got: &Sources, want: &Vec<String>) -> Verdict {
        let strange = got.sources.iter().filter(|source| !want.contains(&source.name));
        let strange = strange.map(|source| format!("{} ({})", source.name, source.file));
        let has = |wanted: &String| got.sources.iter().any(|source| source.name == *wanted);
        let missing = want.iter().filter(|wanted| !has(wanted)).map(|wanted| format!("no {wanted}"));
        let wrong: Vec<_> = strange.chain(missing).collect();
        let said = if wrong.is_empty() { "as declared".to_owned() } else { wrong.join(", ") };
        Verdict::of(wrong.is_empty(), want.join(", "), said)
    }

    fn observed(&self, got: &Sources) -> Option<Value> {
        Some(got.sources.iter().map(|source| source.name.clone()).collect::<Vec<_>>().into())
    }
}

/// No source is let in without a signature.
pub struct SourcesAuthenticated;

impl Check for SourcesAuthenticated {
    type Fact = Sources;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "packages.sources-authenticated",
            demand: "no setting lets packages in whose signature was not verified",
            remedy: "remove `trusted=yes`, `AllowUnauthenticated`, `gpgcheck=0` and the like, and install the source's key",
            key: "packages.authenticated",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.packages.authenticated == Some(true)).then_some(())
    }

    fn judge(&self, got: &Sources, (): &()) -> Verdict {
        let said = if got.unchecked.is_empty() { "no such setting".to_owned() } else { got.unchecked.join(", ") };
        Verdict::of(got.unchecked.is_empty(), "signatures verified", said)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Sources;
    use crate::{Exit, Fact, Output};

    fn read(said: &[(&str, &str)]) -> Result<(Vec<String>, Vec<String>), String> {
        let lines = said.iter().flat_map(|(file, text)| text.lines().map(move |line| format!("{file}:{line}\n")));
        let out = Output {
            exit: Exit::Code(0),
            stdout: lines.collect(),
            stderr: String::new(),
            truncated: false,
            took: Duration::ZERO,
        };
        let read = Sources::parse(&[out]).map_err(|why| why.to_string())?;
        Ok((read.sources.into_iter().map(|source| source.name).collect(), read.unchecked))
    }

    #[test]
    fn sources_of_apt_are_read_in_both_forms() {
        let (names, unchecked) = read(&[
            ("/etc/apt/sources.list", "# deb http://a/ old main\ndeb [arch=amd64 trusted=yes] http://a/debian trixie main contrib\n\ndeb-src http://a/debian trixie main\n"),
            ("/etc/apt/sources.list.d/x.sources", "# ours\nTypes: deb deb-src\nURIs: http://b/\nSuites: one\n two\nComponents: main\nTrusted: Yes\n\nEnabled: no\nTypes: deb\nURIs: http://c/\nSuites: three\nComponents: main\n\nTypes: deb\nURIs: http://d/\nSuites: ./\n"),
            ("/etc/apt/apt.conf.d/99x", "// APT::Get::AllowUnauthenticated \"true\";\nAPT::Get::AllowUnauthenticated \"true\";\nAcquire::AllowInsecureRepositories \"false\";\n"),
        ])
        .unwrap();
        assert_eq!(
            names,
            [
                "trixie main contrib",
                "deb-src trixie main",
                "one main",
                "two main",
                "deb-src one main",
                "deb-src two main",
                "./"
            ]
        );
        assert_eq!(
            unchecked,
            [
                "trusted=yes (/etc/apt/sources.list)",
                "trusted: Yes (/etc/apt/sources.list.d/x.sources)",
                "APT::Get::AllowUnauthenticated \"true\"; (/etc/apt/apt.conf.d/99x)",
            ]
        );
    }

    #[test]
    fn repositories_of_dnf_pacman_and_apk_are_read() {
        let (names, unchecked) = read(&[
            ("/etc/dnf/dnf.conf", "[main]\ngpgcheck=1\n"),
            ("/etc/yum.repos.d/a.repo", "[baseos]\nname=Base\ngpgcheck=1\nenabled=1\n\n[crb]\nenabled=0\ngpgcheck=0\n\n[zfs]\nenabled=1\ngpgcheck = 0\n"),
            ("/etc/pacman.conf", "[options]\nSigLevel    = Required DatabaseOptional\n[core]\nInclude = /etc/pacman.d/mirrorlist\n[archzfs]\nSigLevel = Optional TrustAll\n"),
            ("/etc/apk/repositories", "#https://a/alpine/edge\nhttps://a/alpine/v3.20/main\n"),
        ])
        .unwrap();
        assert_eq!(names, ["baseos", "zfs", "core", "archzfs", "https://a/alpine/v3.20/main"]);
        assert_eq!(
            unchecked,
            ["[zfs] gpgcheck=0 (/etc/yum.repos.d/a.repo)", "[archzfs] siglevel=optional trustall (/etc/pacman.conf)"]
        );
    }

    #[test]
    fn what_is_no_source_is_an_error() {
        assert!(read(&[("/etc/apt/sources.list", "deb http://a/\n")]).is_err());
        assert!(read(&[("/etc/apt/sources.list", "dep http://a/ trixie main\n")]).is_err());
        assert!(read(&[]).is_err());
    }
}
