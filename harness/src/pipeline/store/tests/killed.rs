//! A process that is killed, or finds no room: nothing half-written has a final name, and the next one goes on.

use std::{fs, path::Path, sync::mpsc, time::Instant};

use super::{
    super::{Store, StoreError},
    child::{self, Work},
    scene::{digest, image_at, names},
    server::{Manner, Server},
};

/// How often a process is killed, at points that are spread over its work.
const KILLS: u32 = 20;
/// The most memory that a process may have taken, in KiB.
const MEMORY: u64 = 60 << 10;

/// Every image that has its final name is whole, and so is every file beside one.
fn whole(folder: &Path) {
    for name in names(folder).iter().filter(|name| !name.contains('#')) {
        let mut parts = name.split('/').skip(1);
        let (digits, file) = (parts.next().unwrap(), parts.next().unwrap());
        let held = fs::read(folder.join(name)).unwrap();
        match file.strip_suffix(".sha256") {
            Some(image) => assert_eq!(held, format!("{digits}  {image}\n").into_bytes()),
            None => assert_eq!(digest(&held).hex(), digits),
        }
    }
}

#[tokio::test]
async fn a_put_that_is_killed_anywhere_leaves_no_half_image() {
    let scratch = tempfile::tempdir().unwrap();
    let image = scratch.path().join("golden.qcow2");
    let digest = image_at(&image, 8 << 20);
    let begun = |store: &Path| child::begun(child::command(&[], store.to_str().unwrap(), Work::Put(&image, digest)));
    let (mut child, _said) = begun(&scratch.path().join("measured"));
    let at = Instant::now();
    assert!(child.wait().unwrap().success());
    let takes = at.elapsed();
    let mut unfinished = 0;
    for kill in 0..KILLS {
        let folder = scratch.path().join(kill.to_string());
        let (mut child, mut said) = begun(&folder);
        let (over, ended) = mpsc::channel();
        std::thread::spawn(move || {
            std::io::copy(&mut said, &mut std::io::sink()).unwrap();
            // Nobody waits any more for one that was killed first.
            let _ = over.send(());
        });
        let _ = ended.recv_timeout(takes * kill / KILLS);
        child.kill().unwrap();
        child.wait().unwrap();
        whole(&folder);
        let store = Store::open(folder.to_str().unwrap()).unwrap();
        let put = store.put_image(&fs::File::open(&image).unwrap(), "golden.qcow2", digest).await.unwrap();
        unfinished += u32::from(!put.already_there);
        whole(&folder);
    }
    assert!(unfinished > KILLS / 4, "{unfinished} of {KILLS} were killed before they were done");
}

#[tokio::test]
async fn writers_of_records_that_are_killed_leave_no_half_record_and_no_gap() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let store = Store::open(place).unwrap();
    let mut after = 0;
    for kill in 1..=KILLS {
        let (mut child, _said) = child::begun(child::command(&[], place, Work::Append));
        // It is at work when other records are there, whole from the first moment, and is killed somewhere in a later one.
        let mut number = 0;
        while number < after + u64::from(kill % 5) {
            tokio::task::yield_now().await;
            if let Some((latest, held)) = store.latest("stable").await.unwrap() {
                assert!(held == child::record(latest), "record {latest} is not whole");
                number = latest;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let records = store.records("stable").await.unwrap();
        after = records.len() as u64;
        for (number, held) in (1..).zip(records) {
            assert!(held == child::record(number), "record {number} is not whole");
        }
    }
    let (number, _) = store.append("stable", |number, _| Ok::<_, StoreError>(child::record(number))).await.unwrap();
    assert_eq!(number, after + 1);
}

#[tokio::test]
async fn without_room_nothing_is_left_and_the_reason_is_told() {
    let scratch = tempfile::tempdir().unwrap();
    let image = scratch.path().join("golden.qcow2");
    let digest = image_at(&image, 4 << 20);
    let folder = scratch.path().join("store");
    // A file of this process may then have 2 MiB; what writes on gets an error instead of the signal.
    let little = ["sh", "-c", "trap '' XFSZ; ulimit -f 4096; exec \"$@\"", "sh"];
    let command = |before: &[&str]| child::command(before, folder.to_str().unwrap(), Work::Put(&image, digest));
    let ended = child::run(command(&little));
    assert!(!ended.done && ended.said.contains("File too large"), "{}", ended.said);
    assert!(ended.said.contains(": cannot write images/"), "{}", ended.said);
    assert_eq!(names(&folder), [""; 0]);
    assert!(child::run(command(&[])).done);
    whole(&folder);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_image_takes_little_memory() {
    let scratch = tempfile::tempdir().unwrap();
    let image = scratch.path().join("golden.qcow2");
    let digest = image_at(&image, 64 << 20);
    let server = Server::start(Manner::Keeps).await;
    let (environment, bucket) = server.environment();
    for store in [scratch.path().join("store").to_str().unwrap(), &bucket] {
        let mut command = child::command(&[], store, Work::Put(&image, digest));
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let ended = tokio::task::spawn_blocking(|| child::run(command)).await.unwrap();
        assert!(ended.done, "{store}: {}", ended.said);
        let most = ended.said.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        let most: u64 = most.unwrap().parse().unwrap();
        assert!(most < MEMORY, "{store}: {most} KiB");
    }
    assert_eq!(
        server.store().put_image(&fs::File::open(&image).unwrap(), "golden.qcow2", digest).await.unwrap().key.len(),
        84
    );
}
