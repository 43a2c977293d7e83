//! `kverify export --scp-target`: what comes to another host and how it is known to be whole, what is never written over there,
//! and how what broke off goes on. The other host is a real sshd on this one.

use std::{fs, os::unix::fs::MetadataExt, path::Path, process::Command, thread::sleep, time::Duration};

use rustix::process::Signal;

use crate::{
    call::{Call, Said},
    place::Place,
    sshd::Sshd,
};

/// The folder on the other host: its name is one that has to be quoted.
const THERE: &str = "it's \"there\" $HOME *";
/// All that an export leaves.
const ALL: [&str; 4] = ["SHA256SUMS", "blank.qcow2", "blank.raw", "export.json"];
const MIB: usize = 1 << 20;

/// A place with an image, a folder for its files here, and another one there, behind a server.
struct Route {
    place: Place,
    sshd: Sshd,
}

impl Route {
    fn new(more: &str) -> Self {
        let place = Place::new();
        image(&place, 1);
        fs::create_dir(place.path("out")).unwrap();
        fs::create_dir(place.path(THERE)).unwrap();
        let sshd = Sshd::start(&place, more);
        Self { place, sshd }
    }

    fn target(&self) -> String {
        format!("away:{}", self.place.path(THERE).display())
    }

    fn to(&self, line: &str, target: &str) -> Call {
        let line = format!("{line} export blank.raw --format raw,qcow2 --out-dir out --ssh-config ssh.conf");
        self.place.kverify(&line).arg(format!("--scp-target={target}"))
    }

    fn call(&self) -> Said {
        self.to("", &self.target()).said()
    }

    fn there(&self, name: &str) -> std::path::PathBuf {
        self.place.path(THERE).join(name)
    }

    /// All is there, as it is here, and nothing else.
    #[track_caller]
    fn holds(&self) {
        assert_eq!(self.place.names(THERE), ALL);
        for name in ALL {
            assert!(
                fs::read(self.there(name)).unwrap() == fs::read(self.place.path("out").join(name)).unwrap(),
                "{name}"
            );
        }
        let sums = Command::new("sha256sum").args(["-c", "SHA256SUMS"]).current_dir(self.place.path(THERE)).output();
        assert!(sums.unwrap().status.success());
    }

    /// The hidden name there of a file that is exported here.
    fn part(&self, name: &str) -> std::path::PathBuf {
        let sum = self.place.run(&format!("sha256sum out/{name}"));
        self.there(&format!(".{name}.{}.part", &sum[..16]))
    }
}

/// Four MiB that are no zeros, and some that are.
fn image(place: &Place, seed: u64) {
    let mut state = seed;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u8::try_from(state >> 56).unwrap()
    };
    let mut bytes: Vec<u8> = (0..4 * MIB).map(|_| noise()).collect();
    bytes.resize(6 * MIB, 0);
    // A table of no partitions, which makes it a disk.
    bytes[..512].fill(0);
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    place.file("blank.raw", bytes);
}

/// The command at the end of a complaint.
fn command(said: &Said) -> String {
    let reason = said.reason();
    reason[reason.find(": kverify export ").unwrap() + 2..].to_owned()
}

/// Calls kverify as a person does who copies a line.
fn typed(place: &Place, line: &str) -> std::process::Output {
    let line = line.strip_prefix("kverify").unwrap();
    let line = format!("{}{line}", env!("CARGO_BIN_EXE_kverify"));
    Command::new("sh").args(["-c", &line]).current_dir(place.path("")).output().unwrap()
}

#[test]
fn all_is_sent_and_nothing_twice() {
    let route = Route::new("");
    let said = route.call();
    said.exits(0);
    let target = route.target();
    said.shows(&format!("sent      to {target}: 4 files, 4 of them new; the sums hold there"));
    for step in ["  blank.raw: sending 6 MiB", "  the sums are asked there", "  the files get their names there"] {
        assert!(said.stderr.lines().any(|line| line == step), "{step}: {said}");
    }
    route.holds();
    let stamps = || {
        ALL.map(|name| {
            (
                fs::metadata(route.there(name)).unwrap().ino(),
                fs::metadata(route.place.path("out").join(name)).unwrap().ino(),
            )
        })
    };
    let before = stamps();
    let said = route.call();
    said.exits(0).shows(&format!("sent      to {target}: 4 files, 0 of them new; the sums hold there"));
    assert!(said.stdout.starts_with("exported already: blank.raw to out\n"), "{said}");
    assert!(!said.stderr.contains("sending"), "{said}");
    assert_eq!(stamps(), before);
    // One of them was lost there, and all of the record.
    fs::remove_file(route.there("blank.qcow2")).unwrap();
    fs::remove_file(route.there("export.json")).unwrap();
    let said = route.to("-q", &target).said();
    assert_eq!(said.exits(0).stdout, format!("exported already: blank.raw to out\nsent to {target}\n"));
    assert_eq!(said.stderr, "");
    route.holds();
    let said = route.to("-v", &target).said();
    said.exits(0).shows("blank.raw: none of its 6291456 bytes, which were there");
    // By its address and port, as `scp` takes them.
    fs::create_dir(route.place.path("a b")).unwrap();
    let target = format!("scp://127.0.0.1:{}/{}/a%20b", route.sshd.port, route.place.path("").display());
    route.to("", &target).said().exits(0);
    assert_eq!(route.place.names("a b"), ALL);
}

#[test]
fn what_broke_off_is_gone_on_with() {
    let route = Route::new("");
    // The server is killed once a file has 5 MiB.
    Sshd::serves(&route.place, "ulimit -f 10240; exec sftp-server");
    let said = route.call();
    said.exits(2);
    let why = format!("{}: blank.raw did not get there whole: ", route.target());
    assert!(said.reason().starts_with(&why), "{said}");
    assert!(said.reason().contains("; the export is kept in out; to go on with sending it: kverify export "), "{said}");
    let part = route.part("blank.raw");
    let begun = fs::metadata(&part).unwrap().len();
    assert!(begun > 0 && begun < 6 << 20, "{begun}");
    assert!(!route.there("blank.raw").exists() && !route.there("export.json").exists());
    Sshd::serves(&route.place, "exec sftp-server -e -l INFO 2>>log");
    let again = typed(&route.place, &format!("{} -v", command(&said)));
    let (stdout, stderr) = (String::from_utf8(again.stdout).unwrap(), String::from_utf8(again.stderr).unwrap());
    assert_eq!(again.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains(&format!("  blank.raw: going on with sending at {} of 6 MiB", begun >> 20)), "{stderr}");
    let rest = format!("blank.raw: the rest of its 6291456 bytes, {begun} of which were there");
    assert!(stdout.contains(&rest), "{stdout}");
    // The server's own word.
    let log = fs::read_to_string(route.place.path("log")).unwrap();
    let name = part.file_name().unwrap().to_str().unwrap();
    let written = format!("{name}\" bytes read 0 written {}", (6 << 20) - begun);
    assert!(log.lines().any(|line| line.contains("close ") && line.contains(&written)), "{written}: {log}");
    route.holds();
}

#[test]
fn what_came_there_as_another_file_goes_and_is_sent_anew() {
    let route = Route::new("");
    // All but the last connection is let through: the export is kept here.
    Sshd::serves(&route.place, "mkdir once || exit 1\nexec sftp-server");
    route.call().exits(2);
    assert_eq!(route.place.names("out"), ALL);
    assert_eq!(route.place.names(THERE), [""; 0]);
    Sshd::serves(&route.place, "exec sftp-server");
    // A beginning that is not ours, and all of another one, which is as long as it has to be.
    fs::write(route.part("blank.raw"), vec![7; MIB]).unwrap();
    fs::write(
        route.part("blank.qcow2"),
        vec![7; usize::try_from(fs::metadata(route.place.path("out/blank.qcow2")).unwrap().len()).unwrap()],
    )
    .unwrap();
    let said = route.call();
    said.exits(2);
    let why = format!("{}: what came there of blank.raw is not what was sent, its sha256 is ", route.target());
    assert!(said.reason().starts_with(&why), "{said}");
    assert!(!route.part("blank.raw").exists() && !route.part("blank.qcow2").exists());
    assert!(!route.there("blank.raw").exists());
    // Longer than it can be.
    fs::write(route.part("blank.raw"), vec![7; 7 * MIB]).unwrap();
    route.call().exits(0);
    route.holds();
}

#[test]
fn what_is_there_is_never_written_over() {
    let route = Route::new("");
    fs::write(route.there("blank.qcow2"), "theirs").unwrap();
    let target = route.target();
    let said = route.call();
    let why = "is there already, and what will be exported is not known to be the same; remove it there or name another folder";
    assert!(
        said.exits(2).reason().starts_with(&format!("{target}: blank.qcow2 {why}; nothing was exported; ")),
        "{said}"
    );
    assert_eq!(route.place.names("out"), [""; 0]);
    assert_eq!(route.place.names(THERE), ["blank.qcow2"]);
    // Once it is exported, content decides: longer, as long, a folder.
    fs::remove_file(route.there("blank.qcow2")).unwrap();
    route.call().exits(0);
    fs::remove_file(route.there("export.json")).unwrap();
    let told = |why: &str| {
        let said = route.call();
        let told = format!(
            "{target}: blank.raw is there already, {why}; remove it there or name another folder; the export is kept"
        );
        assert!(said.exits(2).reason().starts_with(&told), "{said}");
        assert!(!route.there("export.json").exists());
    };
    let whole = fs::read(route.there("blank.raw")).unwrap();
    fs::write(route.there("blank.raw"), vec![7; whole.len()]).unwrap();
    told("with other content");
    assert!(fs::read(route.there("blank.raw")).unwrap() == vec![7; whole.len()]);
    fs::write(route.there("blank.raw"), "short").unwrap();
    told("with 5 bytes and not 6291456");
    fs::remove_file(route.there("blank.raw")).unwrap();
    fs::create_dir(route.there("blank.raw")).unwrap();
    told("and is no file");
    fs::remove_dir(route.there("blank.raw")).unwrap();
    route.call().exits(0);
    route.holds();
}

#[test]
fn a_name_that_somebody_takes_meanwhile_stays_theirs() {
    let route = Route::new("");
    // The fourth connection names what was sent.
    let taken = format!("cd '{}'; echo theirs >blank.raw", THERE.replace('\'', r"'\''"));
    Sshd::serves(
        &route.place,
        &format!("echo >>calls; if [ $(wc -l <calls) = 4 ]; then {taken}; fi; exec sftp-server"),
    );
    let said = route.call();
    assert!(said.exits(2).reason().contains(": no files can be put there: remote rename "), "{said}");
    assert_eq!(fs::read_to_string(route.there("blank.raw")).unwrap(), "theirs\n");
    assert!(route.part("blank.raw").exists() && !route.there("export.json").exists());
    fs::remove_file(route.there("blank.raw")).unwrap();
    route.call().exits(0);
    route.holds();
}

#[test]
fn a_host_that_is_away_is_noticed_before_anything_is_written() {
    let route = Route::new("");
    let target = format!("{}/none", route.target());
    let said = route.to("", &target).said();
    let why =
        format!("{target}: no files can be put there: stat remote: No such file or directory; nothing was exported; ");
    assert!(said.exits(2).reason().starts_with(&why), "{said}");
    let said = route.to("", "away:/proc").said();
    assert!(
        said.exits(2).reason().starts_with("away:/proc: no files can be put there: remote mkdir \"/proc/.kverify-"),
        "{said}"
    );
    let said = route.to("", "nobody-here@away:").said();
    assert!(
        said.exits(2).reason().contains("nobody-here@away:: not reached: nobody-here@127.0.0.1: Permission denied"),
        "{said}"
    );
    // Nobody has looked at the key of a host that is not known.
    fs::write(route.place.path("known"), "").unwrap();
    let said = route.call();
    assert!(said.exits(2).reason().contains("Host key verification failed."), "{said}");
    let Route { place, sshd } = route;
    let port = sshd.port;
    drop(sshd);
    let line = "export blank.raw --format raw --out-dir out --scp-target away:x --ssh-config ssh.conf";
    place.kverify(line).said().no_verdict(&format!(
        "away:x: not reached: ssh: connect to host 127.0.0.1 port {port}: Connection refused; nothing was exported; to do it \
         once this is mended: kverify {line}"
    ));
    assert_eq!(place.names("out"), [""; 0]);
}

#[test]
fn a_host_without_a_shell_is_asked_for_sizes_and_that_is_said() {
    let route = Route::new("ForceCommand internal-sftp");
    let honest = "sums not asked there: it lets nobody run a shell; the sizes are right";
    let target = route.target();
    let sent = |said: &Said, new: usize| {
        said.exits(0).shows(&format!("sent      to {target}: 4 files, {new} of them new; {honest}"));
    };
    sent(&route.call(), 4);
    route.holds();
    sent(&route.call(), 0);
    let said = route.to("-q", &target).said();
    assert_eq!(said.exits(0).stdout, format!("exported already: blank.raw to out\nsent to {target}; {honest}\n"));
    // Ended while the files got their names.
    fs::remove_file(route.there("export.json")).unwrap();
    fs::rename(route.there("blank.raw"), route.part("blank.raw")).unwrap();
    sent(&route.call(), 2);
    route.holds();
    // As long as ours, and nothing tells that it is ours.
    fs::write(route.there("SHA256SUMS"), vec![b'0'; fs::read(route.there("SHA256SUMS")).unwrap().len()]).unwrap();
    let said = route.call();
    assert!(said.exits(2).reason().contains("SHA256SUMS is there already, with other content; "), "{said}");
    fs::remove_file(route.there("SHA256SUMS")).unwrap();
    let said = route.call();
    let why = "is there already, without SHA256SUMS, and whether it is the same cannot be asked there: it lets nobody run a shell";
    assert!(said.exits(2).reason().contains(why), "{said}");
}

#[test]
fn a_host_without_sha256sum_is_asked_for_sizes_and_that_is_said() {
    // Whoever asks for a shell has one that finds no programs.
    let forced = "ForceCommand case $SSH_ORIGINAL_COMMAND in sh) PATH=/none exec /bin/sh ;; *) exec $SSH_ORIGINAL_COMMAND ;; esac";
    let route = Route::new(forced);
    let said = route.call();
    said.exits(0);
    assert!(said.stdout.contains("; sums not asked there: it has no sha256sum; the sizes are right\n"), "{said}");
    route.holds();
}

#[test]
fn nothing_is_taken_for_an_option_or_a_command() {
    let place = Place::new();
    place.blank();
    fs::create_dir(place.path("out")).unwrap();
    for target in [
        "-oProxyCommand=touch owned:x",
        "-v:x",
        "me@-oProxyCommand=touch${IFS}owned:x",
        "away:x\n!touch owned",
        "away:x\"\n!touch owned\n\"",
        "$(touch owned):x",
        "away;touch owned:x",
        "scp://away/x%0a!touch owned",
        "scp://-oProxyCommand=touch%20owned/x",
        "/local/folder",
        "",
    ] {
        let call = place.kverify("export blank.raw --format raw --out-dir out").arg(format!("--scp-target={target}"));
        let said = call.said();
        said.exits(2);
        assert!(said.stderr.contains("for '--scp-target <TARGET>'"), "{target}: {said}");
        assert_eq!(place.names("out"), [""; 0]);
        assert!(!place.path("owned").exists() && !place.path("out/owned").exists(), "{target}");
    }
}

#[test]
fn an_export_of_another_kind_is_not_sent() {
    let route = Route::new("");
    route.call().exits(0);
    let told = |call: Call, why: &str| {
        let said = call.said();
        assert!(said.exits(2).reason().contains(why), "{why}: {said}");
    };
    let target = route.target();
    told(
        route.to("", &target).args("--compress zstd"),
        "out/export.json: the qcow2 that is there is compressed in another way; ",
    );
    told(
        route.to("", &target).args("--format vhd"),
        "out/export.json: the export that is there has no vhd; name another --out-dir",
    );
    // Without a target, what is there is in the way.
    let call = || route.place.kverify("export blank.raw --format raw,qcow2 --out-dir out");
    call().said().no_verdict("out/blank.raw: there is something already; remove it or choose another name");
    let raw = fs::read(route.place.path("out/blank.raw")).unwrap();
    fs::write(route.place.path("out/blank.raw"), vec![7; raw.len()]).unwrap();
    told(route.to("", &target), "out/blank.raw: it is not what export.json beside it says; ");
    fs::write(route.place.path("out/blank.raw"), raw).unwrap();
    image(&route.place, 2);
    told(route.to("", &target), "out/export.json: it is of an image with the digest sha256:");
    route.holds();
}

#[test]
fn whoever_ends_it_ends_all_that_it_started() {
    let route = Route::new("");
    Sshd::serves(&route.place, "mkdir once && exec sftp-server; : > waits; exec cat >waits");
    let mut running = route.to("", &route.target()).start();
    running.wait_for("  the files get their names");
    while !route.place.path("waits").exists() {
        sleep(Duration::from_millis(20));
    }
    assert_eq!(clients(&route.place.path("ssh.conf")).len(), 2, "sftp and its ssh");
    running.kill(Signal::INT);
    let said = running.said();
    said.exits(2);
    assert!(
        said.reason()
            .starts_with("interrupted by SIGINT; the export is kept in out; to go on with sending it: kverify export"),
        "{said}"
    );
    assert_eq!(clients(&route.place.path("ssh.conf")), [""; 0]);
    Sshd::serves(&route.place, "exec sftp-server");
    route.call().exits(0);
    route.holds();
}

/// The command lines of programs that were given this configuration, but for kverify itself.
fn clients(config: &Path) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(&config.display().to_string())).collect()
}

#[test]
fn a_pipeline_sends_what_it_exports_and_goes_on_where_the_host_was_away() {
    let route = Route::new("");
    let there = route.place.path(THERE);
    let target = there.display().to_string().replace('"', "\\\"");
    fs::create_dir(route.place.path("recipes")).unwrap();
    let row = format!(
        "image = \"../blank.raw\"\nwork = \"../work\"\n[export]\nformat = [\"raw\", \"vhd\"]\nscp-target = \"away:{target}\"\n\
         ssh-config = \"../ssh.conf\"\n"
    );
    route.place.file("recipes/row.toml", row);
    let call = |line: &str| route.place.kverify(&format!("pipeline recipes/row.toml {line}")).said();
    Sshd::serves(&route.place, "mkdir once && exec sftp-server");
    let said = call("");
    said.exits(2);
    assert!(said.stderr.contains("/work/exported; to go on with sending it: kverify export"), "{said}");
    let stamp = || fs::metadata(route.place.path("work/exported/blank.vhd")).unwrap().ino();
    let before = stamp();
    Sshd::serves(&route.place, "exec sftp-server");
    call("--dry-run").exits(0).shows("export   to do (not timed here): not done yet");
    let said = call("");
    assert!(said.exits(0).stdout.contains("exported already: blank.raw to work/exported"), "{said}");
    assert_eq!(stamp(), before, "it was not made again");
    assert_eq!(route.place.names(THERE), ["SHA256SUMS", "blank.raw", "blank.vhd", "export.json"]);
    call("--dry-run").exits(0).shows("nothing is left to do");
    // To another folder: the same files.
    fs::create_dir(route.place.path("other")).unwrap();
    let other = format!("--set export.scp-target=away:{}", route.place.path("other").display());
    let said = call(&format!("--dry-run {other}"));
    assert!(said.exits(0).stdout.contains("it was done with other inputs"), "{said}");
    call(&other).exits(0);
    assert_eq!((stamp(), route.place.names("other").len()), (before, 4));
    // Another image is another export, and finds the old one there.
    image(&route.place, 2);
    let said = call(&other);
    assert!(said.exits(2).stderr.contains("blank.raw is there already, and what will be exported"), "{said}");
    let said = call("--set export.scp-target=-oProxyCommand=x:y");
    assert!(said.exits(2).reason().starts_with("pipeline recipes/row.toml: export: "), "{said}");
}
