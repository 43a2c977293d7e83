//! What a matrix may say, and where it is told that something in it means nothing.

use std::{fs, path::Path, time::Duration};

use kverify_checks::scenarios::Bus;

use super::{FileSource, Hardware, Matrix};
use crate::machine::{AccelChoice, FirmwareChoice, Network, Spec};

const GOOD: &str = "[[row]]\nname = \"one\"\nimage.file = \"golden.qcow2\"\nexpect = \"debian-13-server\"\n";

/// Reads a matrix of this text in a folder where `mine.toml` is an expectation.
fn read(text: &str) -> Result<Matrix, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine.toml"), "[zfs]\npool = \"tank\"\n").unwrap();
    let path = folder.path().join("matrix.toml");
    fs::write(&path, text).unwrap();
    let shorten = |text: &str| text.replace(&format!("{}/", folder.path().display()), "");
    let mut matrix = Matrix::read(&path).map_err(|error| shorten(&format!("{:#}", anyhow::Error::from(error))))?;
    for row in &mut matrix.rows {
        row.expect = shorten(&row.expect);
        row.image.at.file = shorten(&row.image.at.file);
    }
    Ok(matrix)
}

#[track_caller]
fn refused(text: &str, begins: &str) {
    let error = read(text).unwrap_err();
    assert!(error.starts_with(begins), "{error}");
}

#[test]
fn rows_in_the_order_of_the_file() {
    let more = "[[row]]\nname = \"two\"\nexpect = \"mine.toml\"\nimage = { command = [\"ci/golden\", \"x\"] }\n";
    let matrix = read(&format!("{GOOD}\n{more}")).unwrap();
    let [one, two] = &matrix.rows[..] else { panic!("{matrix:?}") };
    assert_eq!((one.name.as_str(), one.expect.as_str()), ("one", "debian-13-server"));
    assert!(
        matches!(&one.image.source, FileSource::File(path) if path.is_absolute() && path.ends_with("golden.qcow2"))
    );
    assert_eq!(one.image.at.to_string(), "matrix.toml:3");
    assert_eq!(two.expect, "mine.toml");
    assert_eq!(two.expectation.zfs.pool.as_deref(), Some("tank"));
    assert!(matches!(&two.image.source, FileSource::Command { words, .. } if words == &["ci/golden", "x"]));
    let asked: Vec<_> = two.checks().filter(|(_, asked)| *asked).map(|(check, _)| check.about().id).collect();
    assert_eq!(asked, ["zfs.pool-named"], "the expectation decides");
    assert_eq!(matrix.row("two").map(|row| row.image.at.line), Some(9));
    assert!(matrix.row("three").is_none());
}

#[test]
fn what_means_nothing_is_told_with_its_line() {
    refused(&format!("{GOOD}memroy = 1\n"), "matrix.toml:5: unknown field `memroy`, expected one of `name`");
    refused(&format!("rows = 1\n{GOOD}"), "matrix.toml:1: unknown field `rows`, expected `row`");
    refused(&GOOD.replace("image.file", "image.path"), "matrix.toml:3: unknown variant `path`");
    refused(&GOOD.replace("expect =", "# expect ="), "matrix.toml:1: missing field `expect`");
    refused(&GOOD.replace("image.file", "image"), "matrix.toml:3: ");
    let both = GOOD.replace("image.file", "image.command = [\"x\"]\nimage.file");
    refused(&both, "matrix.toml:3: ");
    refused("[[row]\n", "matrix.toml:1: ");
}

#[test]
fn a_doubled_row_is_told_with_both_lines() {
    let again = format!("{GOOD}\n{GOOD}");
    refused(&again, "matrix.toml:7: a second row called `one`; the first is in line 2");
}

#[test]
fn axes_make_a_row_of_each() {
    let names = |more: &str| {
        let matrix = read(&format!("{GOOD}{more}"))?;
        Ok::<_, String>(matrix.rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>())
    };
    let axes = "axes.bus = ['virtio', 'scsi']\naxes.memory = [1024, 2048]\n";
    let all = ["one.virtio.1024M", "one.virtio.2048M", "one.scsi.1024M", "one.scsi.2048M"];
    assert_eq!(names(axes).unwrap(), all);
    let less = format!("{axes}exclude = [{{ bus = 'scsi', memory = 1024 }}]\ninclude = [{{ bus = 'sata' }}]\n");
    assert_eq!(names(&less).unwrap(), [all[0], all[1], all[3], "one.sata"]);
    let matrix = read(&format!("{GOOD}memory = 4096\naxes.cpus = [1]\n")).unwrap();
    assert_eq!(matrix.rows[0].hardware, Hardware { memory: Some(4096), cpus: Some(1), ..Hardware::default() });
    let spec = matrix.rows[0].hardware.of(&spec(), None);
    assert_eq!((spec.memory_mib, spec.cpus, spec.bus), (4096, 1, Bus::Nvme), "what it does not say is the caller's");
    let wrong = |more: &str, begins: &str| refused(&format!("{GOOD}{more}"), begins);
    wrong(&format!("{axes}exclude = [{{ bus = 'nvme' }}]\n"), "matrix.toml:7: it excludes no row of these axes");
    wrong(&format!("{axes}exclude = [{{}}]\n"), "matrix.toml:7: it excludes no row");
    let each = "exclude = [{ bus = 'scsi' }, { bus = 'virtio' }]\n";
    wrong(&format!("{axes}{each}"), "matrix.toml:5: every row of these axes is excluded");
    let again = "include = [{ bus = 'scsi', memory = 2048 }]\n";
    wrong(&format!("{axes}{again}"), "matrix.toml:7: it includes a row that the axes make already");
    wrong("axes.bus = ['ide']\n", "matrix.toml:5: unknown variant `ide`");
    wrong("axes.disk = [1]\n", "matrix.toml:5: unknown field `disk`");
    wrong("axes.memory = [16]\n", "matrix.toml:5: memory of 16 MiB; a machine has 256 to ");
    wrong("axes.bus = ['scsi', 'scsi']\n", "matrix.toml:2: a second row called `one.scsi`");
}

#[test]
fn a_channel_is_believed_by_a_key() {
    let channel = |rest: &str| {
        GOOD.replace("image.file = \"golden.qcow2\"", &format!("image.channel = {{ name = 'stable', {rest} }}"))
    };
    refused(&channel("store = 'shelf', trust = []"), "matrix.toml:3: nobody's signatures are believed; ");
    refused(&channel("store = 'shelf'"), "matrix.toml:3: missing field `trust`");
    refused(&channel("store = 's3://images', trust = ['gone.pub']"), "matrix.toml:3: gone.pub: No such file");
    let vars = format!("{GOOD}firmware-vars.channel = {{ name = 'a', store = 'b', trust = ['c'] }}\n");
    refused(&vars, "matrix.toml:5: a channel points to images, and to nothing else");
}

#[test]
fn secure_boot_is_an_axis_and_its_keys_a_file() {
    let more = "axes.firmware = ['uefi', 'uefi-secure-boot']\nfirmware-vars.file = 'keys.fd'\n";
    let matrix = read(&format!("{GOOD}{more}")).unwrap();
    let [plain, secure] = &matrix.rows[..] else { panic!("{matrix:?}") };
    assert_eq!((plain.name.as_str(), secure.name.as_str()), ("one.uefi", "one.uefi-secure-boot"));
    assert_eq!(secure.hardware.of(&spec(), None).firmware, FirmwareChoice::UefiSecureBoot);
    let vars = secure.firmware_vars.as_ref().unwrap();
    assert_eq!((vars.key, vars.at.line), ("firmware-vars", 6));
    refused(&format!("{GOOD}firmware = 'bios'\n"), "matrix.toml:5: unknown variant `bios`");
}

#[test]
fn digests_times_clouds_and_waivers() {
    let wrong = |more: &str, begins: &str| refused(&format!("{GOOD}{more}"), begins);
    let digest = format!("sha256:{}", "0".repeat(64));
    let more = format!("digest = '{digest}'\ntimeout = '5m'\nclouds = ['ec2']\n");
    let matrix = read(&format!("{GOOD}{more}")).unwrap();
    let row = &matrix.rows[0];
    assert_eq!(row.digest.map(|digest| digest.to_string()), Some(digest));
    assert_eq!(row.timeout, Some(Duration::from_mins(5)));
    assert_eq!(row.scenarios[0].name, "cloud-ec2");
    wrong("digest = 'sha256:0'\n", "matrix.toml:5: no digest");
    wrong("timeout = '5'\n", "matrix.toml:5: a time of at most a day is wanted");
    wrong("clouds = ['ecs']\n", "matrix.toml:5: no cloud is called `ecs`");
    wrong("waivers = 'none.toml'\n", "matrix.toml:5: ");
    let waiver = |until: &str| {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "[[waiver]]\ncheck = 'boot.ready'\nimage = 'golden*'\nreason = 'r'\nowner = 'o'\nuntil = '{until}'\n"
        );
        fs::write(folder.path().join("waivers.toml"), text).unwrap();
        fs::write(folder.path().join("matrix.toml"), format!("{GOOD}waivers = 'waivers.toml'\n")).unwrap();
        Matrix::read(&folder.path().join("matrix.toml")).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(waiver("2999-12-31"), Ok(()));
    let ended = waiver("2020-12-31").unwrap_err();
    assert!(ended.contains("matrix.toml:5: ") && ended.contains("`boot.ready` for golden* has ended"), "{ended}");
}

#[test]
fn a_pattern_means_one_file() {
    let glob = |pattern: &str| GOOD.replace("image.file = \"golden.qcow2\"", &format!("image.glob = '{pattern}'"));
    let matrix = read(&glob("images/golden-*.qcow2")).unwrap();
    let FileSource::Glob { folder, name } = &matrix.rows[0].image.source else { panic!("{matrix:?}") };
    assert!(folder.ends_with("images") && name == "golden-*.qcow2");
    refused(&glob("*/golden.qcow2"), "matrix.toml:3: a path whose last part holds");
    refused(&glob("golden.qcow2"), "matrix.toml:3: a path whose last part holds");
}

/// The caller's machine.
fn spec() -> Spec {
    Spec {
        memory_mib: 2048,
        cpus: 2,
        accel: AccelChoice::Auto,
        bus: Bus::Nvme,
        clock: None,
        network: Network::Lab,
        firmware: FirmwareChoice::Uefi,
        firmware_vars: None,
        deadline: None,
    }
}

#[test]
fn scenarios_are_those_that_there_are() {
    let names = |text: &str| {
        let scenarios = read(text).map(|matrix| matrix.rows[0].scenarios.clone())?;
        Ok::<_, String>(scenarios.into_iter().map(|scenario| scenario.name).collect::<Vec<_>>())
    };
    let with = |list: &str| format!("{GOOD}scenarios = [{list}]\n");
    assert_eq!(names(GOOD).unwrap(), [""; 0]);
    assert_eq!(names(&with("'reboot', 'crash'")).unwrap(), ["reboot", "crash"]);
    refused(&with("'reboot', 'cash'"), "matrix.toml:5: no scenario is called `cash`; `kverify scenarios` lists them");
    refused(&with("'reboot', 'reboot'"), "matrix.toml:5: a second scenario called `reboot`");
    refused(&with("'mine.toml'"), "matrix.toml:5: mine.toml: ");
}

#[test]
fn an_expectation_that_is_not_there() {
    let unknown = GOOD.replace("debian-13-server", "debian-99");
    refused(&unknown, "matrix.toml:4: no expectation is called `debian-99`; there are: ");
    let missing = GOOD.replace("debian-13-server", "yours.toml");
    refused(&missing, "matrix.toml:4: yours.toml: cannot be read: No such file");
}

#[test]
fn names_are_those_of_tests_and_folders() {
    for name in ["", "..", "a/b", "a b", ".hidden", "ä"] {
        let error = read(&GOOD.replace("\"one\"", &format!("{name:?}"))).unwrap_err();
        assert!(error.starts_with("matrix.toml:2: `") && error.contains("is no name for a row"), "{error}");
    }
}

#[test]
fn nothing_to_verify_is_an_error() {
    refused("", "matrix.toml: no row, so nothing would be verified");
    refused(&GOOD.replace("image.file = \"golden.qcow2\"", "image.command = []"), "matrix.toml:3: an empty command");
    let missing = Matrix::read(Path::new("/nowhere/matrix.toml")).unwrap_err();
    assert_eq!(missing.to_string(), "/nowhere/matrix.toml: cannot be read");
}

#[test]
fn the_matrices_of_this_repository() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../matrices");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut read = 0;
    for path in files.filter(|path| path.extension().is_some_and(|ending| ending == "toml")) {
        Matrix::read(&path).unwrap_or_else(|error| panic!("{error}"));
        read += 1;
    }
    assert!(read > 0);
}
