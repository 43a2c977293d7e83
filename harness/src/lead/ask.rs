//! Asking the leader, from the process of a trial.

use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use super::spoken::{Line, Question, Told};

/// How long the leader may be silent: many times the span between two of its lines.
const SILENCE: Duration = Duration::from_mins(1);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens, or the connection broke.
    #[error("the leader cannot be asked at {path}: {source}")]
    Unreachable {
        /// The socket.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// It stopped talking.
    #[error("the leader said nothing for {} s; the last was `{last}`", SILENCE.as_secs())]
    Silent {
        /// What it said last.
        last: String,
    },
    /// It went away.
    #[error("the leader ended before it answered; the last it said was `{last}`")]
    Gone {
        /// What it said last.
        last: String,
    },
    /// It says what is no answer: another version of kverify.
    #[error("the leader does not speak this trial's language: {0}")]
    Foreign(#[from] serde_json::Error),
    /// It knows nothing of what was asked.
    #[error("{0}")]
    Refused(String),
}

/// Asks the leader at `socket`, and waits as long as it says that there is something to wait for.
///
/// # Errors
/// [`AskError`] where it gives no outcome.
pub fn ask(socket: &Path, question: &Question) -> Result<Told, AskError> {
    let unreachable = |source| AskError::Unreachable { path: socket.display().to_string(), source };
    let mut stream = UnixStream::connect(socket).map_err(unreachable)?;
    stream.set_read_timeout(Some(SILENCE)).map_err(unreachable)?;
    writeln!(stream, "{}", serde_json::to_string(question)?).map_err(unreachable)?;
    let mut last = "nothing".to_owned();
    for line in BufReader::new(stream).lines() {
        match line {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(AskError::Silent { last }),
            Err(error) => return Err(unreachable(error)),
            Ok(line) => match serde_json::from_str(&line)? {
                Line::Waiting(doing) => last = doing,
                Line::Told(told) => return Ok(*told),
                Line::Refused(why) => return Err(AskError::Refused(why)),
            },
        }
    }
    Err(AskError::Gone { last })
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Write},
        os::unix::net::UnixListener,
        thread,
    };

    use super::{AskError, Question, Told, ask};

    /// What becomes of a question to a leader that says this and hangs up.
    fn asked(says: &'static str) -> Result<Told, AskError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let leader = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut question = String::new();
            BufReader::new(stream.try_clone().unwrap()).read_line(&mut question).unwrap();
            // In the smallest pieces, as a socket may carry it.
            says.bytes().for_each(|byte| stream.write_all(&[byte]).unwrap());
            question
        });
        let answer = ask(&path, &Question { row: "one".to_owned(), check: "boot.ready".to_owned() });
        assert_eq!(leader.join().unwrap(), "{\"row\":\"one\",\"check\":\"boot.ready\"}\n");
        answer
    }

    #[test]
    fn waits_for_the_answer() {
        let outcome = "{\"check\":\"boot.ready\",\"status\":\"pass\"}";
        let says = format!("{{\"waiting\":\"a\"}}\n{{\"told\":{{\"outcome\":{outcome},\"folder\":null}}}}\n");
        assert_eq!(asked(says.leak()).unwrap().outcome.check, "boot.ready");
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        let error = |says| asked(says).unwrap_err().to_string();
        assert_eq!(error(""), "the leader ended before it answered; the last it said was `nothing`");
        let gone = "the leader ended before it answered; the last it said was `booting`";
        assert_eq!(error("{\"waiting\":\"booting\"}\n"), gone);
        assert!(matches!(asked("{\"waiting\":\"booting\"}\n{\"tol"), Err(AskError::Foreign(_))), "cut");
        assert!(matches!(asked("{\"port\":22}\n"), Err(AskError::Foreign(_))));
        assert_eq!(error("{\"refused\":\"no such row\"}\n"), "no such row");
        let nobody = ask("/nowhere/socket".as_ref(), &Question { row: String::new(), check: String::new() });
        let words = "the leader cannot be asked at /nowhere/socket: No such file or directory";
        assert!(nobody.unwrap_err().to_string().starts_with(words));
    }
}
