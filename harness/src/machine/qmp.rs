//! The QMP wire: requests with ids of our own, replies matched by id, events as they come.
//!
//! The types are qapi's, the wire is ours: one unknown event or enum value must not end the stream, and a reply that
//! comes after its deadline must not disturb the next call.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use qapi::Command;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    sync::{Mutex as AsyncMutex, mpsc, oneshot},
    time::timeout,
};

/// The longest line that is read, in bytes; QEMU's own replies stay far below.
const LONGEST_LINE: u64 = 16 * 1024 * 1024;

/// Why a QMP call gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QmpError {
    /// The connection ended: QEMU is gone.
    #[error("qmp {0}: the connection ended")]
    Ended(&'static str),
    /// No reply in time.
    #[error("qmp {0}: no reply within {1:?}")]
    Late(&'static str, Duration),
    /// QEMU refused.
    #[error("qmp {0}: {1}")]
    Refused(&'static str, String),
    /// The reply is not of the type that the command returns.
    #[error("qmp {0}: unreadable reply: {1}")]
    Unreadable(&'static str, serde_json::Error),
}

/// What happened to the machine, as QMP tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It powers off, or would be reset where a reset ends the machine; `guest` if it did so itself.
    Shutdown { guest: bool, reset: bool },
    /// It was reset; `guest` if it did so itself.
    Reset { guest: bool },
    /// Its CPUs stopped.
    Stop,
    /// Its kernel said that it panicked.
    Panicked,
    /// Anything else, by name; also names that our types do not know.
    Other(String),
}

type Reply = Result<Value, String>;

#[derive(Default)]
struct Pending {
    calls: HashMap<u64, oneshot::Sender<Reply>>,
    next: u64,
    ended: bool,
}

/// One QMP connection.
pub(crate) struct Qmp {
    writer: AsyncMutex<Box<dyn AsyncWrite + Send + Unpin>>,
    pending: Arc<Mutex<Pending>>,
}

impl Qmp {
    /// Starts reading; events arrive on the receiver until the connection ends.
    pub(crate) fn open(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
    ) -> (Self, mpsc::UnboundedReceiver<Event>) {
        let pending = Arc::new(Mutex::new(Pending::default()));
        let (events, receiver) = mpsc::unbounded_channel();
        tokio::spawn(read(BufReader::new(reader), Arc::clone(&pending), events));
        (Self { writer: AsyncMutex::new(Box::new(writer)), pending }, receiver)
    }

    /// Sends one command and waits for its reply.
    ///
    /// # Errors
    /// [`QmpError`] where QEMU refused, did not answer within `limit`, or is gone.
    pub(crate) async fn call<C: Command>(&self, command: C, limit: Duration) -> Result<C::Ok, QmpError> {
        let (sender, receiver) = oneshot::channel();
        let id = {
            let mut pending = lock(&self.pending);
            if pending.ended {
                return Err(QmpError::Ended(C::NAME));
            }
            pending.next += 1;
            let id = pending.next;
            pending.calls.insert(id, sender);
            id
        };
        let answer = timeout(limit, self.exchange::<C>(&command, id, receiver)).await;
        lock(&self.pending).calls.remove(&id);
        let value = answer.map_err(|_| QmpError::Late(C::NAME, limit))??;
        serde_json::from_value(value).map_err(|error| QmpError::Unreadable(C::NAME, error))
    }

    async fn exchange<C: Command>(
        &self,
        command: &C,
        id: u64,
        receiver: oneshot::Receiver<Reply>,
    ) -> Result<Value, QmpError> {
        let mut line = json!({ "execute": C::NAME, "arguments": command, "id": id }).to_string();
        line.push('\n');
        {
            let mut writer = self.writer.lock().await;
            writer.write_all(line.as_bytes()).await.map_err(|_| QmpError::Ended(C::NAME))?;
            writer.flush().await.map_err(|_| QmpError::Ended(C::NAME))?;
        }
        let reply = receiver.await.map_err(|_| QmpError::Ended(C::NAME))?;
        reply.map_err(|why| QmpError::Refused(C::NAME, why))
    }
}

fn lock(pending: &Mutex<Pending>) -> MutexGuard<'_, Pending> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read<R: AsyncRead + Unpin>(
    mut reader: BufReader<R>,
    pending: Arc<Mutex<Pending>>,
    events: mpsc::UnboundedSender<Event>,
) {
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
            Ok(length) if length > 0 && line.ends_with(b"\n") => {}
            _ => break,
        }
        let Ok(message) = serde_json::from_slice::<Value>(&line) else { continue };
        if message.get("event").is_some() {
            // Nobody listening any more is no reason to stop reading replies.
            let _ = events.send(event(&message));
        } else if let Some(id) = message.get("id").and_then(Value::as_u64)
            && let Some(call) = lock(&pending).calls.remove(&id)
        {
            let _ = call.send(reply(message));
        }
    }
    let mut pending = lock(&pending);
    pending.ended = true;
    pending.calls.clear();
}

fn reply(mut message: Value) -> Reply {
    match message.get_mut("return") {
        Some(value) => Ok(value.take()),
        None => Err(message.pointer("/error/desc").and_then(Value::as_str).unwrap_or("no reason given").to_owned()),
    }
}

/// Read by name and field, not through qapi's event enum: a reason that it does not know must not hide a reset.
fn event(message: &Value) -> Event {
    let guest = message.pointer("/data/guest").and_then(Value::as_bool).unwrap_or_default();
    let reason = message.pointer("/data/reason").and_then(Value::as_str).unwrap_or_default();
    match message.get("event").and_then(Value::as_str).unwrap_or_default() {
        "SHUTDOWN" => Event::Shutdown { guest, reset: reason == "guest-reset" },
        "RESET" => Event::Reset { guest },
        "STOP" => Event::Stop,
        "GUEST_PANICKED" => Event::Panicked,
        other => Event::Other(other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use qapi::qmp;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex, split};

    use super::{Event, Qmp, QmpError};

    const SOON: Duration = Duration::from_secs(5);

    fn peer() -> (Qmp, tokio::sync::mpsc::UnboundedReceiver<Event>, BufReader<DuplexStream>) {
        let (ours, theirs) = duplex(4096);
        let (reader, writer) = split(ours);
        let (qmp, events) = Qmp::open(reader, writer);
        (qmp, events, BufReader::new(theirs))
    }

    /// Reads one request and gives its id.
    async fn request(peer: &mut BufReader<DuplexStream>) -> u64 {
        let mut line = String::new();
        peer.read_line(&mut line).await.unwrap();
        serde_json::from_str::<serde_json::Value>(&line).unwrap()["id"].as_u64().unwrap()
    }

    async fn say(peer: &mut BufReader<DuplexStream>, text: &str) {
        peer.write_all(text.as_bytes()).await.unwrap();
    }

    fn status() -> qmp::query_status {
        qmp::query_status {}
    }

    #[tokio::test]
    async fn a_reply_split_by_bytes_and_an_event_in_between() {
        let (qmp, mut events, mut peer) = peer();
        let script = async {
            let id = request(&mut peer).await;
            say(&mut peer, "{\"timestamp\":{\"seconds\":1,\"microseconds\":2},\"event\":\"STOP\"}\n").await;
            let reply = format!("{{\"return\":{{\"running\":true,\"status\":\"running\"}},\"id\":{id}}}\n");
            for byte in reply.bytes() {
                peer.write_all(&[byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let (answer, ()) = tokio::join!(qmp.call(status(), SOON), script);
        assert!(answer.unwrap().running);
        assert_eq!(events.recv().await, Some(Event::Stop));
    }

    #[tokio::test]
    async fn unknown_events_and_unknown_reasons_do_not_end_the_stream() {
        let (qmp, mut events, mut peer) = peer();
        let script = async {
            say(&mut peer, "{\"event\":\"NEW_IN_QEMU_99\",\"data\":{},\"timestamp\":{}}\n").await;
            say(&mut peer, "{\"event\":\"RESET\",\"data\":{\"guest\":true,\"reason\":\"of-the-future\"}}\nnot json\n")
                .await;
            let id = request(&mut peer).await;
            say(&mut peer, &format!("{{\"error\":{{\"class\":\"GenericError\",\"desc\":\"no\"}},\"id\":{id}}}\n"))
                .await;
        };
        let (answer, ()) = tokio::join!(qmp.call(status(), SOON), script);
        assert!(matches!(answer, Err(QmpError::Refused(_, why)) if why == "no"));
        assert_eq!(events.recv().await, Some(Event::Other("NEW_IN_QEMU_99".to_owned())));
        assert_eq!(events.recv().await, Some(Event::Reset { guest: true }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_reply_is_dropped_and_the_next_call_gets_its_own() {
        let (qmp, _events, mut peer) = peer();
        assert!(matches!(qmp.call(status(), SOON).await, Err(QmpError::Late(..))));
        let script = async {
            let late = request(&mut peer).await;
            let id = request(&mut peer).await;
            say(&mut peer, &format!("{{\"return\":{{\"running\":false,\"status\":\"paused\"}},\"id\":{late}}}\n"))
                .await;
            say(&mut peer, &format!("{{\"return\":{{\"running\":true,\"status\":\"running\"}},\"id\":{id}}}\n")).await;
        };
        let (answer, ()) = tokio::join!(qmp.call(status(), SOON), script);
        assert!(answer.unwrap().running);
    }

    #[tokio::test]
    async fn the_end_of_the_stream_ends_calls_and_events() {
        let (qmp, mut events, mut peer) = peer();
        let script = async {
            request(&mut peer).await;
            drop(peer);
        };
        let (answer, ()) = tokio::join!(qmp.call(status(), SOON), script);
        assert!(matches!(answer, Err(QmpError::Ended(_))));
        assert_eq!(events.recv().await, None);
        assert!(matches!(qmp.call(status(), SOON).await, Err(QmpError::Ended(_))));
    }
}
