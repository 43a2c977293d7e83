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
