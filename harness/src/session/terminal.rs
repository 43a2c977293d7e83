//! A person at a machine's port: what is typed goes in as it is, and what is shown comes out as it is.

use std::{
    io::{self, Read as _, Write as _},
    thread,
};

use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    sync::mpsc,
};

use super::shell::nonce;
use crate::shell::quoted;

/// Whether a person sits at both ends of this process.
#[must_use]
pub fn is_at_hand() -> bool {
    isatty(io::stdin()) && isatty(io::stdout())
}

/// The terminal of this process, which hands on every key until this is dropped.
struct Raw(Termios);

impl Raw {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Flush, &raw)?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone takes no setting, and needs none.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}

/// What leaves a shell that does not answer: Ctrl-].
const LEAVE: u8 = 0x1d;

/// What the shell of the port is told: a shell for a person, on a terminal of this size where the guest can make one, that
/// begins with `begins`; and then a mark.
fn start(begins: &str, terminal: Option<(u16, u16)>, mark: &str) -> String {
    let shell = "if command -v bash >/dev/null; then exec bash --rcfile /run/kverify-shell -i; else ENV=/run/kverify-shell exec sh -i; fi";
    let run = match terminal {
        Some((columns, rows)) => {
            format!("script -qfc {} /dev/null", quoted(&format!("stty rows {rows} cols {columns}; {shell}")))
        }
        None => format!("({shell})"),
    };
    format!(
        "cat >/run/kverify-shell <<'{mark}'\n{begins}\n{mark}\nexport TERM=xterm-256color HOME=/root\n{run}\n\
         printf '\\n%s\\n' {mark}\n"
    )
}

/// Attaches this process to a shell on a port until that shell ends, or Ctrl-] leaves it; `terminal` is whether the guest has
/// util-linux's `script`, without which there is none to hand keys to, and lines are handed over as they are.
///
/// # Errors
/// What the system says of the terminal or the port, or that the port was closed.
pub async fn attach(mut port: UnixStream, begins: &str, terminal: bool) -> io::Result<()> {
    let mark = format!("kverify-{:032x}", nonce()?);
    let size = tcgetwinsize(io::stdout()).map_or((80, 24), |size| (size.ws_col.max(20), size.ws_row.max(5)));
    let raw = terminal.then(Raw::begin).transpose()?;
    port.write_all(start(begins, terminal.then_some(size), &mark).as_bytes()).await?;
    let (keys, mut typed) = mpsc::channel::<Vec<u8>>(16);
    // It ends with the process: nobody can be made to press a key.
    thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok(read @ 1..) = io::stdin().read(&mut buffer) {
            if keys.blocking_send(buffer[..read].to_vec()).is_err() {
                return;
            }
        }
    });
    let mut shown = Shown::new(&mark);
    let mut buffer = vec![0; 16 * 1024];
    loop {
        tokio::select! {
            read = port.read(&mut buffer) => {
                let read = read?;
                let (text, over) = shown.show(&buffer[..read]);
                let mut out = io::stdout().lock();
                out.write_all(&text)?;
                out.flush()?;
                if over {
                    break;
                }
                if read == 0 {
                    return Err(io::Error::other("its port was closed"));
                }
            }
            Some(keys) = typed.recv() => {
                if keys.contains(&LEAVE) {
                    break;
                }
                port.write_all(&keys).await?;
            }
        }
    }
    drop(raw);
    Ok(())
}

/// What comes out, up to the mark.
struct Shown {
    mark: Vec<u8>,
    /// What may be the mark's beginning.
    held: Vec<u8>,
}

impl Shown {
    fn new(mark: &str) -> Self {
        Self { mark: format!("\n{mark}\n").into_bytes(), held: Vec::new() }
    }

    /// What can be shown, and whether that was all.
    fn show(&mut self, bytes: &[u8]) -> (Vec<u8>, bool) {
        self.held.extend(bytes);
        if let Some(at) = self.held.windows(self.mark.len()).position(|window| window == self.mark) {
            self.held.truncate(at);
            return (std::mem::take(&mut self.held), true);
        }
        let longest = self.mark.len().min(self.held.len());
        let begun = (1..=longest).rev().find(|length| self.held.ends_with(&self.mark[..*length])).unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - begun);
        (std::mem::replace(&mut self.held, rest), false)
    }
}

#[cfg(test)]
mod tests {
    use super::{Shown, start};

    #[test]
    fn what_is_shown_ends_before_the_mark() {
        let mut shown = Shown::new("m-1");
        assert_eq!(shown.show(b"one\ntwo\nm"), (b"one\ntwo".to_vec(), false), "it may be the mark");
        assert_eq!(shown.show(b"ore\n"), (b"\nmore".to_vec(), false), "it was not");
        assert_eq!(shown.show(b"m-"), (Vec::new(), false));
        assert_eq!(shown.show(b"1\nrest"), (Vec::new(), true));
        let mut shown = Shown::new("m-1");
        assert_eq!(shown.show(b"all at once\nm-1\n"), (b"all at once".to_vec(), true));
    }

    #[test]
    fn the_shell_is_told_in_lines_that_a_shell_reads() {
        for terminal in [Some((80, 24)), None] {
            let script = start("echo 'it'\\''s'", terminal, "mark");
            let checked = std::process::Command::new("sh").args(["-n", "-c", &script]).status().unwrap();
            assert!(checked.success(), "{script}");
            assert!(script.ends_with("printf '\\n%s\\n' mark\n"), "{script}");
        }
    }
}
