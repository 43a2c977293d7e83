//! Six reports, and how each looks in every view.
//!
//! They are built here rather than recorded, so that each shows one thing; what stands in them is what real machines said.

use jiff::Timestamp;
use kverify_checks::{
    Exit, Outcome, SkipCause, Status,
    network::{AskedName, EgressRecord, TriedAddress},
    outcome::Evidence,
};

use super::{
    Access, Carrier, Chosen, ChosenBy, Conclusion, MachineRecord, Report, Subject, Timings, human, json, junit,
    style::{Detail, Style},
};

/// Public output, <https://github.com/openzfs/zfs/issues/6274>.
const OLD_FEATURES: &str = "  pool: VM
 state: ONLINE
status: Some supported features are not enabled on the pool. The pool can
        still be used, but some features are unavailable.
config:

        NAME        STATE     READ WRITE CKSUM
        VM          ONLINE       0     0     0
          sdb3      ONLINE       0     0     0

errors: No known data errors
";

/// Public output, <https://github.com/asokolsky/asokolsky.github.io>, `apps/zfs/cli-zpool.md`.
const WRITE_ERROR: &str = "  pool: tank
 state: ONLINE
status: One or more devices has experienced an unrecoverable error.  An
\tattempt was made to correct the error.  Applications are unaffected.
config:

\tNAME        STATE     READ WRITE CKSUM
\ttank        ONLINE       0     0     0
\t  raidz2-0  ONLINE       0     0     0
\t    sdb     ONLINE       0     0     0
\t    sda     ONLINE       0     1     0

errors: No known data errors
";

fn evidence(from: &str, code: i32, seconds: f64, stdout: &str, stderr: &str) -> Evidence {
    Evidence {
        from: from.to_owned(),
        exit: Exit::Code(code),
        seconds,
        stdout: stdout.to_owned(),
        stderr: stderr.to_owned(),
        cut: false,
    }
}

fn judged(check: &str, status: Status, want: &str, at: &str, got: &str, evidence: Evidence) -> Outcome {
    Outcome {
        want: Some(want.to_owned()),
        want_at: Some(at.to_owned()),
        got: Some(got.to_owned()),
        evidence: vec![evidence],
        ..Outcome::new(check, status)
    }
}

fn skipped(check: &str, cause: SkipCause, why: Option<&str>) -> Outcome {
    Outcome { cause: Some(cause), why: why.map(str::to_owned), ..Outcome::new(check, Status::Skip) }
}

fn error(check: &str, why: &str, evidence: Vec<Evidence>) -> Outcome {
    Outcome { why: Some(why.to_owned()), evidence, ..Outcome::new(check, Status::Error) }
}

fn passes() -> Vec<Outcome> {
    let boot = evidence("what the machine did", 0, 0.0, r#"{"end":{"kind":"settled"},"seconds":82.1}"#, "");
    let running = evidence("systemctl is-system-running", 0, 0.12, "running\n", "");
    let pools = evidence("zpool status -pv", 0, 0.21, OLD_FEATURES, "");
    let sshd = evidence("sshd -T", 0, 0.43, "permitrootlogin no\npasswordauthentication no\n", "");
    vec![
        judged("boot.ready", Status::Pass, "settled", "golden.toml:4", "settled after 82.1 s", boot),
        judged("boot.system-running", Status::Pass, "running", "golden.toml:5", "running", running),
        judged("security.root-login", Status::Pass, "no", "debian.toml:11", "no", sshd),
        skipped("security.selinux", SkipCause::NotAsked, None),
        judged("zfs.pool-named", Status::Pass, "VM", "mine.toml:5", "VM", pools.clone()),
        Outcome {
            notes: vec!["VM: some supported features are not enabled on the pool".to_owned()],
            ..judged("zfs.pools-healthy", Status::Pass, "ONLINE, no errors", "golden.toml:7", "VM ONLINE", pools)
        },
    ]
}

fn report(outcomes: Vec<Outcome>) -> Report {
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    Report {
        kverify: "0.1.0".to_owned(),
        subject: Subject {
            name: "debian-13-server.qcow2".to_owned(),
            digest: "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".to_owned(),
            bytes: 635_437_056,
            format: "qcow2".to_owned(),
            disk_bytes: 10_737_418_240,
        },
        expectation: Chosen {
            name: "debian-13-server".to_owned(),
            chosen_by: ChosenBy::Guest,
            digest: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
            advisories: None,
        },
        check_set: "sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752".to_owned(),
        machines: vec![MachineRecord {
            id: "debian-13-server".to_owned(),
            memory_mib: 2048,
            cpus: 2,
            firmware: "uefi".to_owned(),
            firmware_vars: None,
            accelerator: "tcg".to_owned(),
            accelerator_why: "on KVM the guest stopped at once: internal-error".to_owned(),
            qemu: "10.0.2".to_owned(),
            boot: "cold".to_owned(),
            carrier: Carrier::Ssh,
            access: Access::Seeded,
            network: "lab, closed".to_owned(),
            egress: Some(EgressRecord {
                seconds: 86.9,
                names: vec![AskedName {
                    name: "0.debian.pool.ntp.org".to_owned(),
                    kinds: vec!["A".to_owned(), "AAAA".to_owned()],
                    times: 2,
                    first: 64.2,
                }],
                tried: vec![TriedAddress {
                    protocol: "udp".to_owned(),
                    address: [198, 18, 7, 0].into(),
                    port: Some(123),
                    name: Some("0.debian.pool.ntp.org".to_owned()),
                    times: 1,
                    first: 64.3,
                }],
                lost: 0,
            }),
            timings: Timings {
                login: Some(61.23),
                settled: Some(82.1),
                starved: Some(0.02),
                quick_checks: Some(4.94),
                capture: None,
                deep_checks: None,
            },
            not_captured: None,
            console_tail: Vec::new(),
        }],
        waivers: Vec::new(),
        sbom: None,
        facts: None,
        verdict: Conclusion::of(&outcomes),
        outcomes,
        started: time("2026-11-21T23:12:00Z"),
        finished: time("2026-11-21T23:13:31.5Z"),
    }
}

/// Everything holds.
pub(crate) fn verified() -> Report {
    report(passes())
}

/// Everything looked at holds; some was filtered, waived or not to be had here.
fn in_part() -> Report {
    let mut outcomes = passes();
    outcomes.insert(2, skipped("cloud.drivers", SkipCause::Filtered, Some("--skip cloud.*")));
    outcomes.insert(3, skipped("cloud.init-clean", SkipCause::Filtered, Some("--skip cloud.*")));
    outcomes.insert(4, skipped("network.dns", SkipCause::NotHere, Some("no name server answers the guest here")));
    outcomes.insert(5, skipped("network.listening", SkipCause::Waived, Some("until 2026-12-31 (jm): bus is rebuilt")));
    report(outcomes)
}

/// Two checks fail, one of them with much to say, and one could not be told.
pub(crate) fn refuted() -> Report {
    let mut outcomes = passes();
    outcomes[2] = Outcome {
        evidence: vec![
            evidence("sshd -T", 0, 0.43, "permitrootlogin no\npasswordauthentication no\n", ""),
            evidence("sshd -T -C addr=10.1.1.1,user=root,host=x", 0, 0.41, "permitrootlogin yes\n", ""),
        ],
        ..judged(
            "security.root-login",
            Status::Fail,
            "no",
            "debian.toml:11",
            "no, but yes for root from 10.0.0.0/8 (Match Address 10.0.0.0/8 in /etc/ssh/sshd_config.d/50-ops.conf:3)",
            evidence("", 0, 0.0, "", ""),
        )
    };
    let pools = evidence("zpool status -pv", 0, 0.21, WRITE_ERROR, "");
    outcomes[4] = judged("zfs.pool-named", Status::Pass, "tank", "mine.toml:5", "tank", pools.clone());
    let got = "tank ONLINE, 1 write error on sda";
    outcomes[5] = judged("zfs.pools-healthy", Status::Fail, "ONLINE, no errors", "golden.toml:7", got, pools);
    let nft = evidence("nft -j list ruleset", 127, 0.05, "", "env: 'nft': No such file or directory\n");
    outcomes.insert(2, error("security.firewall-drops", "exit 127: env: 'nft': No such file or directory", vec![nft]));
    report(outcomes)
}

/// Nothing failed, but not everything could be told.
fn no_verdict() -> Report {
    let mut outcomes = passes();
    let late =
        Evidence { exit: Exit::TimedOut, cut: true, ..evidence("zfs get -Hp all", 0, 20.0, "rpool\ttype\tfil", "") };
    outcomes.push(error("zfs.snapshots", "timed out", vec![late]));
    report(outcomes)
}

/// The guest panicked: one check says so, the others had nobody to ask.
fn never_ready() -> Report {
    let line = "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)";
    let boot =
        evidence("what the machine did", 0, 0.0, &format!(r#"{{"end":{{"kind":"panicked","line":"{line}"}}}}"#), "");
    let got = format!("the kernel panicked: {line} after 14.2 s");
    let mut outcomes = vec![judged("boot.ready", Status::Fail, "settled", "golden.toml:4", &got, boot)];
    let others = ["boot.system-running", "cloud.init-clean", "network.sshd", "security.root-login", "zfs.pool-named"];
    outcomes.extend(others.map(|check| error(check, "the machine never became ready", Vec::new())));
    let mut report = report(outcomes);
    report.expectation.chosen_by = ChosenBy::Nobody;
    report.expectation.name = "golden".to_owned();
    let machine = &mut report.machines[0];
    machine.carrier = Carrier::None;
    machine.timings = Timings::default();
    machine.console_tail = [
        "[    3.918211] List of all bdev filesystems:",
        "[    3.918411] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)",
        "[    3.918800] CPU: 1 UID: 0 PID: 1 Comm: swapper/0 Not tainted 6.12.57+deb13-amd64 #1  Debian 6.12.57-1",
        "[    3.919306] ---[ end Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0) ]---",
    ]
    .map(str::to_owned)
    .to_vec();
    report
}

/// A guest that writes to the reader of the report.
pub(super) fn hostile() -> Report {
    let paint = "\u{1b}[2J\u{1b}[H\u{1b}[32mverified\u{1b}[0m\r\n\u{9b}31m]]><testcase name=\"x\"/>&amp;\0\u{fffe}";
    let turned = "\u{202e}deifirev\u{202c} \u{200b}\u{feff}ok \u{1b}]8;;file:///etc/shadow\u{1b}\\click\u{1b}]8;;\u{7}";
    let mut outcomes = passes();
    outcomes[1] = judged("boot.system-running", Status::Fail, "running", "golden.toml:5", paint, {
        evidence("systemctl is-system-running", 1, 0.12, paint, &format!("{turned}{}", "A".repeat(600)))
    });
    outcomes[4].got = Some(turned.to_owned());
    outcomes[5].notes = vec![format!("{paint}{turned}")];
    outcomes.push(error("zfs.snapshots", &format!("cannot read\n{paint}"), Vec::new()));
    let mut report = report(outcomes);
    report.subject.name = "golden\u{1b}[31m\u{202e}.qcow2".to_owned();
    report.machines[0].console_tail = vec![turned.to_owned(), paint.to_owned()];
    report
}

fn samples() -> [(&'static str, Report); 6] {
    [
        ("verified", verified()),
        ("in_part", in_part()),
        ("refuted", refuted()),
        ("no_verdict", no_verdict()),
        ("never_ready", never_ready()),
        ("hostile", hostile()),
    ]
}

#[test]
fn each_report_in_each_view() {
    for (name, report) in samples() {
        let style = Style { folder: Some("kverify-out/debian-13-server".into()), ..Style::default() };
        insta::assert_snapshot!(format!("{name}.txt"), human::table(&report, &style));
        insta::assert_snapshot!(format!("{name}.json"), json::report(&report));
        insta::assert_snapshot!(format!("{name}.xml"), junit::xml(&report));
    }
}

#[test]
fn wide_full_and_coloured() {
    let wide = Style { width: 130, detail: Detail::Full, ..Style::default() };
    insta::assert_snapshot!("never_ready_full.txt", human::table(&never_ready(), &wide));
    insta::assert_snapshot!("in_part_full.txt", human::table(&in_part(), &wide));
    let colour = Style { color: true, detail: Detail::Brief, ..Style::default() };
    insta::assert_snapshot!("refuted_brief_coloured.txt", human::table(&refuted(), &colour).replace('\u{1b}', "␛"));
}

#[test]
fn what_a_seal_was_proven_by_is_named() {
    let mut report = verified();
    let machine = report.machines[0].clone();
    let timings = Timings { settled: Some(15.3), deep_checks: Some(9.1), ..Timings::default() };
    let id = "rescue-1".to_owned();
    report.machines.push(MachineRecord { id, access: Access::Rescue, timings, ..machine.clone() });
    report.machines.push(MachineRecord { id: super::TWIN.to_owned(), ..machine });
    let text = human::table(&report, &Style { width: 200, ..Style::default() });
    let line = "proof    rescue-1, a rescue system beside the disk, mounted after 15.3 s, walked in 9.1 s; cold-2, another \
                machine of the image, settled after 82.1 s\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn every_line_fits_its_page() {
    use unicode_width::UnicodeWidthStr;
    for (name, report) in samples() {
        for width in [80, 100, 200] {
            let text = human::table(&report, &Style { width, detail: Detail::Full, ..Style::default() });
            let widest = text.lines().max_by_key(|line| line.width()).unwrap();
            assert!(widest.width() <= width, "{name} at {width}: {widest}");
        }
    }
}

#[test]
fn no_view_hands_on_what_a_guest_does_to_a_terminal() {
    let report = hostile();
    for text in [human::table(&report, &Style::default()), json::report(&report), junit::xml(&report)] {
        let left = text.chars().find(|character| *character != '\n' && super::plain::dangerous(*character));
        assert_eq!(left, None, "{text}");
    }
}
