//! What is asked of a running system before anything of it is removed.

use super::SealError;

pub(super) const SCRIPT: &str = include_str!("survey.sh");

/// The answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Survey {
    /// The data set that is mounted as root.
    pub(super) root: String,
    /// The four bytes of `/etc/hostid`, where that exists.
    pub(super) hostid: Option<[u8; 4]>,
    /// Its own program for sealing.
    pub(super) tool: Option<String>,
}

impl Survey {
    /// Reads `KEY=VALUE` lines.
    pub(super) fn read(said: &str) -> Result<Self, SealError> {
        let value = |key: &str| {
            let value = said.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let root = value("root").ok_or(SealError::NoPool("its root file system is not on ZFS".to_owned()))?;
        Ok(Self { root, hostid: value("hostid").and_then(|hex| bytes(&hex)), tool: value("tool") })
    }
}

/// Four bytes in hexadecimal, in the order of the file.
fn bytes(hex: &str) -> Option<[u8; 4]> {
    let number = u32::from_str_radix(hex, 16).ok().filter(|_| hex.len() == 8)?;
    Some(number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::Survey;

    #[test]
    fn answers_are_read_and_a_root_elsewhere_is_an_error() {
        let survey = Survey::read("root=rpool/ROOT/debian\nhostid=9c6e8eee\ntool=kexport\n").unwrap();
        assert_eq!(survey.root, "rpool/ROOT/debian");
        assert_eq!(survey.hostid, Some([0x9c, 0x6e, 0x8e, 0xee]));
        assert_eq!(survey.tool.as_deref(), Some("kexport"));
        let survey = Survey::read("root=tank/a b\nhostid=\ntool=\n").unwrap();
        assert_eq!((survey.root.as_str(), survey.hostid, survey.tool), ("tank/a b", None, None));
        for odd in ["12", "xyzxyzxy", "123456789"] {
            assert_eq!(Survey::read(&format!("root=a\nhostid={odd}\n")).unwrap().hostid, None, "{odd}");
        }
        let error = Survey::read("root=\nhostid=\ntool=\n").unwrap_err().to_string();
        assert_eq!(error, "only an image with its root on ZFS can be sealed: its root file system is not on ZFS");
    }
}
