//! The leader's side of the socket: takes questions, and answers each when its row is over.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream, unix::OwnedWriteHalf},
    task::JoinSet,
    time::timeout,
};

use super::{
    desk::Desk,
    spoken::{Line, Question},
};

/// How often somebody who waits is told so.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long a question may take, and how many bytes it may have.
const QUESTION: (Duration, u64) = (Duration::from_secs(30), 4096);

/// Answers whoever connects, until nobody can connect any more.
pub(super) async fn serve(listener: &UnixListener, desk: &Arc<Desk>) -> io::Error {
    let mut talks = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { talks.spawn(talk(stream, Arc::clone(desk))); }
                Err(error) => return error,
            },
            // A trial that was killed is nobody's trouble: its row goes on for the others.
            Some(_) = talks.join_next() => {}
        }
    }
}

async fn talk(stream: UnixStream, desk: Arc<Desk>) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut question = String::new();
    let (limit, longest) = QUESTION;
    timeout(limit, BufReader::new(reader.take(longest)).read_line(&mut question)).await??;
    let question: Question = match serde_json::from_str(&question) {
        Ok(question) => question,
        Err(error) => return say(&mut writer, &Line::Refused(format!("no question: {error}"))).await,
    };
    let Some(mut state) = desk.ask(&question.row) else {
        let why = format!("no row of the leader's matrix is called `{}`", question.row);
        return say(&mut writer, &Line::Refused(why)).await;
    };
    loop {
        let line = state.borrow_and_update().answer(&question);
        say(&mut writer, &line).await?;
        if !matches!(line, Line::Waiting(_)) {
            return Ok(());
        }
        // Either it has changed, or it is time to say again that there is something to wait for.
        let _ = timeout(HEARTBEAT, state.changed()).await;
    }
}

async fn say(writer: &mut OwnedWriteHalf, line: &Line) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    writer.write_all(&bytes).await
}
