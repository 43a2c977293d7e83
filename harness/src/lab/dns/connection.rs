//! Questions and answers over a connection: each message after its length in two bytes (RFC 1035, 4.2.2), any number of
//! them, the next one asked before the last is answered if the guest likes (RFC 7766).

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    sync::{mpsc, oneshot},
    time::timeout,
};

/// How long a guest may take to send a question or to take an answer: `tcp-idle-timeout` of BIND
/// (<https://bind9.readthedocs.io/en/stable/reference.html>).
const IDLE: Duration = Duration::from_secs(30);
/// The longest question, in bytes. A name has 255 at most; the rest is room for what clients pad with (RFC 8467).
const LONGEST: u16 = 4096;

/// A question, and whom its answer goes to: nothing where it was none, no message where the server is silent.
pub(in crate::lab) struct Asked {
    pub(in crate::lab) question: Vec<u8>,
    pub(in crate::lab) answer: oneshot::Sender<Option<Vec<u8>>>,
}

/// Puts what comes over a connection to the desk, in its order, until the guest closes it or says what no client says.
pub(in crate::lab) async fn serve(desk: mpsc::Sender<Asked>, mut stream: UnixStream) {
    while let Ok(Ok(question)) = timeout(IDLE, question(&mut stream)).await {
        let (answer, answered) = oneshot::channel();
        if desk.send(Asked { question, answer }).await.is_err() {
            return;
        }
        let Ok(Some(message)) = answered.await else { return };
        if !matches!(timeout(IDLE, put(&mut stream, &message)).await, Ok(Ok(()))) {
            return;
        }
    }
}

async fn question(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    if length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut question = vec![0; length.into()];
    stream.read_exact(&mut question).await?;
    Ok(question)
}

/// Sends an answer, in one piece; an empty one is none.
async fn put(stream: &mut UnixStream, message: &[u8]) -> io::Result<()> {
    if message.is_empty() {
        return Ok(());
    }
    let length = u16::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    stream.write_all(&[&length.to_be_bytes(), message].concat()).await
}
