//! The sums of files on another host, asked of `sha256sum` there by a shell that reads a script from standard input.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use super::{SendError, client::Client};
use crate::shell::quoted;

/// What the script says first, so that a shell is known to be there, and last.
const MARK: &str = "kverify: sums of";
/// What it says where there is no such program.
const NONE: &str = "kverify: no sha256sum";
/// What it says where sftp is shown other folders than the shell.
const ELSEWHERE: &str = "kverify: no such folder";
/// How long it takes to begin, and how much is read each second at least.
const LIMIT: (Duration, u64) = (Duration::from_mins(10), 1 << 20);

/// What was answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The sums, by the names of the files, in hexadecimal digits.
    Sums(BTreeMap<String, String>),
    /// It cannot be asked there, and why.
    Not(String),
}

/// Asks for the sums of files in the folder, which hold so many bytes in all.
///
/// # Errors
/// [`SendError`] where a host that can tell them did not.
pub(super) async fn ask(client: &Client<'_>, names: &[&str], bytes: u64) -> Result<Asked, SendError> {
    let limit = LIMIT.0 + Duration::from_secs(bytes / LIMIT.1);
    let ran = client.shell(&script(&client.request.target.folder(), names), limit).await?;
    let asked = read(&ran.out);
    match asked {
        // Some servers close what they do not know, others say so.
        None if ran.refuses_shells() => Ok(Asked::Not("it lets nobody run a shell".to_owned())),
        None if ran.is_cut() => Err(SendError::Away { target: client.target(), said: ran.said() }),
        // A shell that had no room to start may have it the next time.
        None => Err(SendError::Sums { target: client.target(), said: ran.said() }),
        Some(Asked::Sums(sums)) if !names.iter().all(|&name| sums.contains_key(name)) => {
            Err(SendError::Sums { target: client.target(), said: ran.said() })
        }
        Some(asked) => Ok(asked),
    }
}

/// What a shell is told. The names are plain; the folder may hold anything but the end of a line.
fn script(folder: &str, names: &[&str]) -> String {
    let mut script = format!(
        "printf '\\n%s\\n' '{MARK}'\ncd -- {} || {{ printf '%s\\n' '{ELSEWHERE}'; exit 0; }}\n\
         command -v sha256sum >/dev/null || {{ printf '%s\\n' '{NONE}'; exit 0; }}\nsha256sum --",
        quoted(folder)
    );
    for name in names {
        // A string takes whatever is written.
        let _ = write!(script, " {}", quoted(name));
    }
    script.push('\n');
    script
}

/// What it answered; `None` if no shell got as far.
fn read(said: &str) -> Option<Asked> {
    // What others say before is no answer.
    let lines = said.lines().skip_while(|line| *line != MARK);
    let mut sums = None;
    for line in lines {
        let sums = sums.get_or_insert_with(BTreeMap::new);
        if line == NONE {
            return Some(Asked::Not("it has no sha256sum".to_owned()));
        }
        if line == ELSEWHERE {
            return Some(Asked::Not("its shell sees no such folder".to_owned()));
        }
        if let Some((sum, name)) = line.split_once(' ').filter(|(sum, _)| sum.len() == 64) {
            sums.insert(name.trim_start_matches([' ', '*']).to_owned(), sum.to_owned());
        }
    }
    sums.map(Asked::Sums)
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::{Asked, read, script};
    use crate::image::Digest;

    fn answered(folder: &str, names: &[&str], path: &str) -> Option<Asked> {
        let run = Command::new("/bin/sh").args(["-c", &script(folder, names)]).env("PATH", path).output().unwrap();
        read(&String::from_utf8(run.stdout).unwrap())
    }

    #[test]
    fn a_shell_reads_the_folder_as_it_is_written() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("it's $HOME `id`; \"q\" \\ *");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(".a.part"), "one").unwrap();
        let path = std::env::var("PATH").unwrap();
        let folder = folder.to_str().unwrap();
        let Some(Asked::Sums(sums)) = answered(folder, &[".a.part", "gone"], &path) else { panic!("no sums") };
        assert_eq!(sums.into_iter().collect::<Vec<_>>(), [(".a.part".to_owned(), Digest::of(b"one").hex())]);
        assert_eq!(answered(folder, &[".a.part"], "/none"), Some(Asked::Not("it has no sha256sum".to_owned())));
        let elsewhere = Some(Asked::Not("its shell sees no such folder".to_owned()));
        assert_eq!(answered("/none", &[".a.part"], &path), elsewhere);
    }

    #[test]
    fn what_a_host_says_by_itself_is_no_sum() {
        let noise = format!("{}  .a.part\nwelcome\n", "0".repeat(64));
        assert_eq!(read(&noise), None);
        assert_eq!(read(&format!("{noise}kverify: sums of\n")), Some(Asked::Sums([].into())));
    }
}
