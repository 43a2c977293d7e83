//! The leader of a matrix: each row is booted once, every trial gets its outcome, and nothing outlives what it watches.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use kverify::lead::{AskError, Question, Told, ask};
use kverify_checks::{Outcome, SkipCause, Status};

use crate::{
    call::Said,
    place::{Place, SMALL},
    running::Running,
    tiny,
};

/// How long a process may take to be gone.
const GONE: Duration = Duration::from_secs(30);

/// A leader, and the process that it takes for nextest.
struct Led {
    place: Place,
    leader: Running,
    socket: PathBuf,
    watched: StandIn,
}

/// A process that only lives, and no longer than the test.
struct StandIn(Child);

impl StandIn {
    fn new() -> Self {
        Self(Command::new("sleep").arg("infinity").spawn().unwrap())
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Led {
    /// Starts a leader with a matrix of this text, more words for it, and `sheet.toml` beside the matrix.
    fn new(matrix: &str, sheet: &str, words: &str) -> Self {
        let place = Place::new();
        place.file("matrix.toml", matrix);
        place.file("sheet.toml", sheet);
        fs::create_dir(place.path("out")).unwrap();
        place.file("out/junit.xml", "of an earlier run");
        let watched = StandIn::new();
        let watch = format!("lead --matrix matrix.toml --out out --watch {} {SMALL} {words}", watched.0.id());
        let mut leader = place.kverify(&watch).start();
        let socket = leader.line().into();
        Self { place, leader, socket, watched }
    }

    fn asker(&self) -> impl Fn(&str, &str) -> Result<Told, AskError> + Send + 'static {
        let socket = self.socket.clone();
        move |row, check| ask(&socket, &Question { row: row.to_owned(), check: check.to_owned() })
    }

    /// Kills what the leader watches; it ends by itself, well, and leaves no socket.
    fn ends(self) -> (Place, Said) {
        drop(self.watched);
        let said = self.leader.said();
        said.exits(0);
        assert_eq!(self.place.names("tmp"), [""; 0], "{said}");
        assert_eq!(self.place.names("scratch"), [""; 0], "{said}");
        (self.place, said)
    }
}

fn row(name: &str, image: &Path) -> String {
    format!("[[row]]\nname = \"{name}\"\nimage.file = \"{}\"\nexpect = \"sheet.toml\"\n", image.display())
}

#[test]
fn a_row_is_booted_once_and_every_trial_gets_its_outcome() {
    let matrix = format!("{}\n{}", row("guest", &tiny::image("ssh")), row("gone", Path::new("gone.qcow2")));
    let sheet = "[boot]\nready = true\n[network]\ndns = true\n[zfs]\npool = \"tank\"\n";
    let account = format!("--network slirp --timeout 600 --ssh-user root --ssh-key {}", tiny::key().display());
    let led = Led::new(&matrix, sheet, &account);
    let trial = |row: &'static str, check: &'static str| {
        let asker = led.asker();
        thread::spawn(move || asker(row, check))
    };
    let both = [trial("guest", "boot.ready"), trial("guest", "zfs.pool-named")];
    let [ready, pool] = both.map(|trial| trial.join().unwrap().unwrap());
    assert_eq!((ready.outcome.status, ready.folder), (Status::Pass, Some("out/guest".into())));
    let Outcome { status, why, evidence, .. } = pool.outcome;
    assert_eq!(status, Status::Error, "there is no zpool to ask: {why:?}");
    assert!(evidence[0].from.starts_with("zpool"), "{evidence:?}");

    let asker = led.asker();
    let dns = asker("guest", "network.dns-answers").unwrap().outcome;
    assert_eq!((dns.status, dns.cause), (Status::Skip, Some(SkipCause::NotHere)));
    let named = asker("guest", "zfs.bootfs-set").unwrap().outcome;
    assert_eq!((named.status, named.cause), (Status::Skip, Some(SkipCause::NotAsked)));
    let gone = asker("gone", "boot.ready").unwrap();
    assert_eq!((gone.outcome.status, gone.folder), (Status::Error, None));
    let why = gone.outcome.why.unwrap();
    assert!(why.starts_with("matrix.toml:8: no image at ./gone.qcow2; put it there, or "), "{why}");
    let refused = |row, check| asker(row, check).unwrap_err().to_string();
    assert_eq!(refused("other", "boot.ready"), "no row of the leader's matrix is called `other`");
    assert_eq!(refused("guest", "boot.reday"), "no check is called `boot.reday`");

    let (place, said) = led.ends();
    assert_eq!(said.stderr.matches("booting on tcg").count(), 1, "{said}");
    assert!(said.stderr.contains("guest: no verdict, 1 of 2 checks holds, 1 could not be told, 1 left out"), "{said}");
    assert!(said.stderr.contains("not-here   network.dns-answers: slirp is "), "{said}");
    assert!(said.stderr.contains("gone: no verdict: matrix.toml:8: no image at "), "{said}");
    assert_eq!(place.names("out"), ["guest", "junit.xml"]);
    assert!(place.names("out/guest").contains(&"zfs.pool-named.txt".to_owned()));
    place.run("xmllint --noout out/junit.xml out/guest/junit.xml");
    let junit = fs::read_to_string(place.path("out/junit.xml")).unwrap();
    for suite in ["name=\"guest/boot\"", "name=\"gone/zfs\"", "<skipped type=\"not-here\""] {
        assert!(junit.contains(suite), "no {suite}: {junit}");
    }
}

#[test]
fn a_machine_ends_with_what_is_watched() {
    let mut led = Led::new(&row("guest", &tiny::image("hang")), "[boot]\nready = true\n", "");
    let asker = led.asker();
    let trial = thread::spawn(move || asker("guest", "boot.ready"));
    led.leader.wait_for("booting on tcg");
    let helpers = led.leader.helpers();
    assert!(helpers.iter().any(|line| line.starts_with("qemu-system-x86_64 ")), "{helpers:?}");
    let (place, _) = led.ends();
    let error = trial.join().unwrap().unwrap_err().to_string();
    assert!(error.starts_with("the leader ended before it answered; the last it said was `"), "{error}");
    assert_eq!(place.names("out"), [""; 0], "neither a report nor what an earlier run said");
}

#[test]
fn what_gets_an_image_ends_with_what_is_watched() {
    let command = "[\"sh\", \"-c\", \"sleep 1000 & echo $! >pid; echo on its way >&2; wait\"]";
    let matrix = format!("[[row]]\nname = \"slow\"\nimage.command = {command}\nexpect = \"golden\"\n");
    let mut led = Led::new(&matrix, "", "");
    let asker = led.asker();
    let trial = thread::spawn(move || asker("slow", "boot.ready"));
    led.leader.wait_for("slow: on its way");
    let (place, _) = led.ends();
    trial.join().unwrap().unwrap_err();
    let pid = fs::read_to_string(place.path("pid")).unwrap();
    let since = Instant::now();
    // Nobody may collect an orphan here; then it is a zombie, which runs no more.
    while fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(since.elapsed() < GONE, "process {pid} is still there");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_image_by_a_command() {
    let words = |script: &str| {
        format!("[[row]]\nname = \"row\"\nimage.command = [\"./get\", \"{script}\"]\nexpect = \"golden\"\n")
    };
    let why = |script: &str| {
        let led = Led::new(&words(script), "", "");
        let get = led.place.file("get", "#!/bin/sh\neval \"$1\"\n");
        led.place.run(&format!("chmod +x {}", get.display()));
        let why = led.asker()("row", "boot.ready").unwrap().outcome.why.unwrap();
        led.ends();
        why.strip_prefix(&format!("matrix.toml:3: `./get {script}` ")).unwrap().to_owned()
    };
    assert_eq!(why("echo no disk >&2; exit 3"), "ended with exit status: 3; its last line: no disk");
    assert_eq!(why("echo none"), "has to end with a line that is the path of a file, not `none`");
    let led = Led::new(&words("").replace("./get", "./nothing-here"), "", "");
    let why = led.asker()("row", "boot.ready").unwrap().outcome.why.unwrap();
    assert!(why.contains("could not be started: No such file or directory"), "{why}");
    led.ends();
    let led = Led::new(&words("echo making >&2; echo text >text; echo made; echo text"), "", "");
    let get = led.place.file("get", "#!/bin/sh\neval \"$1\"\n");
    led.place.run(&format!("chmod +x {}", get.display()));
    let why = led.asker()("row", "boot.ready").unwrap().outcome.why.unwrap();
    assert_eq!(why, "./text: a text file, not a disk image; give the qcow2 or raw file of an installed disk");
    led.ends();
}

#[test]
fn a_matrix_that_means_nothing_is_not_led() {
    let place = Place::new();
    place.file("matrix.toml", "[[row]]\nnmae = \"x\"\n");
    let lead = |words: &str| place.kverify(&format!("lead --matrix matrix.toml {words}")).said();
    let said = lead(&format!("--watch {}", std::process::id()));
    assert!(said.reason().starts_with("matrix.toml:2: unknown field `nmae`"), "{said}");
    said.no_verdict(said.reason());
    lead("--watch 4194305").no_verdict("--watch 4194305: No such process (os error 3)");
}
