//! What a matrix may say, and where it is told that something in it means nothing.

use std::{fs, path::Path};

use super::{ImageSource, Matrix};

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
        row.image_at.file = shorten(&row.image_at.file);
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
    assert!(matches!(&one.image, ImageSource::File(path) if path.is_absolute() && path.ends_with("golden.qcow2")));
    assert_eq!(one.image_at.to_string(), "matrix.toml:3");
    assert_eq!(two.expect, "mine.toml");
    assert_eq!(two.expectation.zfs.pool.as_deref(), Some("tank"));
    assert!(matches!(&two.image, ImageSource::Command { words, .. } if words == &["ci/golden", "x"]));
    let asked: Vec<_> = two.checks().filter(|(_, asked)| *asked).map(|(check, _)| check.about().id).collect();
    assert_eq!(asked, ["zfs.pool-named"], "the expectation decides");
    assert_eq!(matrix.row("two").map(|row| row.image_at.line), Some(9));
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
