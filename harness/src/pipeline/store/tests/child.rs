//! This test binary once more, as a process that may be killed, be given less room, or be measured.

use std::{
    env, fs,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
};

use super::super::{Store, StoreError};
use crate::image::Digest;

const TEST: &str = "pipeline::store::tests::child::is_another_process";
const STORE: &str = "KVERIFY_TEST_STORE";
const IMAGE: &str = "KVERIFY_TEST_IMAGE";
const DIGEST: &str = "KVERIFY_TEST_DIGEST";
const BEGUN: &str = "begun";

/// What the process does with the store: it puts the image, or appends records without end.
#[derive(Clone, Copy)]
pub(super) enum Work<'a> {
    Put(&'a Path, Digest),
    Append,
}

/// What a process said before it ended.
pub(super) struct Ended {
    pub(super) done: bool,
    pub(super) said: String,
}

/// A command that does this, behind what `before` is: words of a program that starts another one.
pub(super) fn command(before: &[&str], store: &str, work: Work) -> Command {
    let this = env::current_exe().unwrap();
    let mut command = match before.split_first() {
        None => Command::new(this),
        Some((program, rest)) => {
            let mut command = Command::new(program);
            command.args(rest).arg(this);
            command
        }
    };
    command.args(["--exact", TEST, "--ignored", "--nocapture"]).env(STORE, store);
    if let Work::Put(image, digest) = work {
        command.env(IMAGE, image).env(DIGEST, digest.to_string());
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// Starts it, and waits until it has begun.
pub(super) fn begun(mut command: Command) -> (Child, BufReader<impl Read + Send + 'static>) {
    let mut child = command.spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while line.trim_end() != BEGUN {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "it ended before it began");
    }
    (child, said)
}

/// Runs it to its end.
pub(super) fn run(command: Command) -> Ended {
    let (mut child, mut rest) = begun(command);
    let mut said = String::new();
    rest.read_to_string(&mut said).unwrap();
    Ended { done: child.wait().unwrap().success(), said }
}

#[tokio::test]
#[ignore = "a process that other tests start"]
async fn is_another_process() {
    let Ok(store) = env::var(STORE) else { return };
    let store = Store::open(&store).unwrap();
    println!("{BEGUN}");
    let Ok(image) = env::var(IMAGE) else {
        loop {
            let record = |number, _: Option<&[u8]>| Ok::<_, StoreError>(record(number));
            store.append("stable", record).await.unwrap();
        }
    };
    let digest = env::var(DIGEST).unwrap().parse().unwrap();
    let put = store.put_image(&File::open(image).unwrap(), "golden.qcow2", digest).await;
    println!("{}", fs::read_to_string("/proc/self/status").unwrap());
    if let Err(error) = put {
        println!("{error}");
        std::process::exit(1);
    }
}

/// A record that shows whether it is whole.
pub(super) fn record(number: u64) -> Vec<u8> {
    number.to_string().repeat(50_000).into_bytes()
}
