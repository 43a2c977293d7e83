//! A folder on another host, written as `scp` takes it.
//!
//! What is in it becomes words of ssh, lines of sftp and of a shell there: nothing passes that could be taken for anything else
//! than a user, a host, a port and a path.

use std::{fmt, str::FromStr};

use percent_encoding::percent_decode_str;

/// A folder on another host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScpTarget {
    written: String,
    user: Option<String>,
    host: String,
    port: Option<u16>,
    /// From the root, or from the user's home.
    path: String,
}

/// Why a text names no folder on another host.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It is a path of this host, or nothing.
    #[error("it names no other host; write it as [user@]host:path or scp://[user@]host[:port]/path")]
    NoHost,
    /// The host could be taken for something else.
    #[error(
        "`{0}` is no name of a host: letters, digits, `.`, `_` and `-` are, the first of them no `-`, or an address of IPv6 \
         in brackets"
    )]
    Host(String),
    /// The user could be.
    #[error("`{0}` is no name of a user: letters, digits and `._-+@\\` are, the first of them no `-`")]
    User(String),
    /// The port is none.
    #[error("`{0}` is no port: 1 to 65535 are")]
    Port(String),
    /// The path cannot be said in one line.
    #[error("its path holds control characters, which no command of sftp can name")]
    Control,
    /// The home of somebody else.
    #[error("`{0}`: only `~/` is known, the home of the user who logs in; write the whole path of any other")]
    Home(String),
}

impl ScpTarget {
    /// The host as sftp takes it, with the user.
    pub(super) fn for_sftp(&self) -> String {
        if self.host.contains(':') { self.at(&format!("[{}]", self.host)) } else { self.at(&self.host) }
    }

    /// The host as ssh takes it, with the user.
    pub(super) fn for_ssh(&self) -> String {
        self.at(&self.host)
    }

    fn at(&self, host: &str) -> String {
        self.user.as_ref().map_or_else(|| host.to_owned(), |user| format!("{user}@{host}"))
    }

    /// The port, where one is written.
    pub(super) fn port(&self) -> Option<u16> {
        self.port
    }

    /// The folder: from the root, or from the home of the user who logs in; never empty, and never begins with `-`.
    pub(super) fn folder(&self) -> String {
        if self.path.starts_with('/') { self.path.clone() } else { format!("./{}", self.path) }
    }

    /// Puts it together, if nothing in it can be taken for anything else.
    fn of(written: &str, user: Option<&str>, host: &str, port: Option<&str>, path: &str) -> Result<Self, TargetError> {
        let host_like = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let name = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            // With the interface of an address that is of one link only.
            Some(address) if address.contains(':') && address.chars().all(|c| host_like(c) || ":%".contains(c)) => {
                address
            }
            None if host.chars().all(host_like) => host,
            _ => return Err(TargetError::Host(host.to_owned())),
        };
        if name.is_empty() || name.starts_with('-') {
            return Err(TargetError::Host(host.to_owned()));
        }
        let user_like = |c: char| c.is_alphanumeric() || "._-+@\\".contains(c);
        if let Some(user) = user.filter(|user| user.is_empty() || user.starts_with('-') || !user.chars().all(user_like))
        {
            return Err(TargetError::User(user.to_owned()));
        }
        let number =
            |port: &str| port.parse().ok().filter(|&port| port > 0).ok_or_else(|| TargetError::Port(port.to_owned()));
        let port: Option<u16> = port.map(number).transpose()?;
        if path.contains(char::is_control) || written.contains(char::is_control) {
            return Err(TargetError::Control);
        }
        let path = match path.strip_prefix('~') {
            Some("") => "",
            Some(rest) => rest.strip_prefix('/').ok_or_else(|| TargetError::Home(path.to_owned()))?,
            None => path,
        };
        let path = if path.is_empty() { "." } else { path };
        let (user, host) = (user.map(str::to_owned), name.to_owned());
        Ok(Self { written: written.to_owned(), user, host, port, path: path.to_owned() })
    }
}

impl FromStr for ScpTarget {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        if let Some(address) = text.strip_prefix("scp://") {
            let (host, path) = address.split_once('/').unwrap_or((address, ""));
            let (user, host) = user_of(host);
            let (host, port) =
                match host.rfind(']').map_or_else(|| host.rfind(':'), |end| host[end..].find(':').map(|at| end + at)) {
                    Some(colon) => (&host[..colon], Some(&host[colon + 1..])),
                    None => (host, None),
                };
            let plain =
                |text: &str| percent_decode_str(text).decode_utf8().map(String::from).map_err(|_| TargetError::Control);
            let user = user.map(plain).transpose()?;
            return Self::of(text, user.as_deref(), host, port, &plain(path)?);
        }
        let colon = colon(text).ok_or(TargetError::NoHost)?;
        let (user, host) = user_of(&text[..colon]);
        Self::of(text, user, host, None, &text[colon + 1..])
    }
}

/// The user before the last `@`, and the host behind it.
fn user_of(text: &str) -> (Option<&str>, &str) {
    text.rsplit_once('@').map_or((None, text), |(user, host)| (Some(user), host))
}

/// Where the colon is that ends the host; none in a path of this host, which has a `/` before it.
fn colon(text: &str) -> Option<usize> {
    let mut within = false;
    for (at, character) in text.char_indices() {
        match character {
            '[' if at == 0 || text[..at].ends_with('@') => within = true,
            ']' if within && text[at + 1..].starts_with(':') => return Some(at + 1),
            ':' if at == 0 => return None,
            ':' if !within => return Some(at),
            '/' => return None,
            _ => {}
        }
    }
    None
}

impl fmt::Display for ScpTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::{ScpTarget, TargetError};

    /// What sftp, ssh and the folder are given.
    fn read(text: &str) -> (String, String, Option<u16>, String) {
        let target: ScpTarget = text.parse().unwrap();
        assert_eq!(target.to_string(), text);
        (target.for_sftp(), target.for_ssh(), target.port(), target.folder())
    }

    fn said(sftp: &str, ssh: &str, port: Option<u16>, folder: &str) -> (String, String, Option<u16>, String) {
        (sftp.to_owned(), ssh.to_owned(), port, folder.to_owned())
    }

    #[test]
    fn what_scp_takes_is_taken() {
        assert_eq!(read("host:/srv/my images"), said("host", "host", None, "/srv/my images"));
        assert_eq!(read("me@host:images"), said("me@host", "me@host", None, "./images"));
        assert_eq!(read("me@corp.example@host:~/x"), said("me@corp.example@host", "me@corp.example@host", None, "./x"));
        for home in ["host:", "host:.", "host:~", "host:~/", "scp://host", "scp://host/"] {
            assert_eq!(read(home), said("host", "host", None, "./."), "{home}");
        }
        assert_eq!(read("[fe80::1%eth0]:/a:b"), said("[fe80::1%eth0]", "fe80::1%eth0", None, "/a:b"));
        assert_eq!(read("me@[::1]:a"), said("me@[::1]", "me@::1", None, "./a"));
        assert_eq!(read("scp://me@host:2222/a%20b"), said("me@host", "me@host", Some(2222), "./a b"));
        assert_eq!(read("scp://[::1]:22//srv"), said("[::1]", "::1", Some(22), "/srv"));
        assert_eq!(read("scp://[::1]/srv"), said("[::1]", "::1", None, "./srv"));
        assert_eq!(read("host:-rf"), said("host", "host", None, "./-rf"));
        assert_eq!(
            read("host:it's \"q\" \\ `id` $HOME; *"),
            said("host", "host", None, "./it's \"q\" \\ `id` $HOME; *")
        );
    }

    #[test]
    fn nothing_passes_for_what_it_is_not() {
        let why = |text: &str| text.parse::<ScpTarget>().unwrap_err();
        for here in ["", "/srv/images", "images", "./a:b", ":a", "[::1]", "ssh"] {
            assert_eq!(why(here), TargetError::NoHost, "{here}");
        }
        for host in [
            "-oProxyCommand=id:x",
            "me@-oProxyCommand=id:/x",
            "ho st:x",
            "$(id):x",
            "h'o:x",
            "me@:x",
            "[-v]:x",
            "[host]:x",
            "scp:///x",
            "scp://-p/x",
            "a\"b:x",
            "host\n!id:x",
        ] {
            assert!(matches!(why(host), TargetError::Host(_)), "{host}");
        }
        for user in [
            "-l@host:x",
            "@host:x",
            "a b@host:x",
            "$(id)@host:x",
            "a;b@host:x",
            "scp://%2doProxyCommand@host/x",
            "`id`@host:x",
        ] {
            assert!(matches!(why(user), TargetError::User(_)), "{user}");
        }
        for port in ["scp://host:/x", "scp://host:0/x", "scp://host:65536/x", "scp://host:-1/x", "scp://[::1]:x/y"] {
            assert!(matches!(why(port), TargetError::Port(_)), "{port}");
        }
        for path in ["host:a\n!touch owned", "host:a\r", "scp://host/a%0a!id", "host:a\u{0}", "scp://host/%ff"] {
            assert_eq!(why(path), TargetError::Control, "{path}");
        }
        assert_eq!(why("host:~other/x"), TargetError::Home("~other/x".to_owned()));
    }
}
