//! Lists what is data and belongs into the binary, so that a new file of it is there without an edit of code: the
//! expectation sheets, and the faults.

use std::{env, fmt::Write, fs, io, path::Path};

fn main() -> io::Result<()> {
    list("matrices/distros", "sheets.rs")?;
    list("fixtures/faults", "faults.rs")
}

/// Writes `(name, text)` of every TOML file in a folder of the checkout.
fn list(folder: &str, to: &str) -> io::Result<()> {
    let variable = |name| env::var_os(name).ok_or_else(|| io::Error::other(format!("{name} is not set")));
    let found = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("..").join(folder);
    // From the package, and not by its absolute path: checkouts that share a target folder would get each other's files.
    println!("cargo::rerun-if-changed=../{folder}");
    let mut paths = fs::read_dir(&found)?
        .map(|entry| Ok(entry?.path()))
        .filter(|path| path.as_ref().map_or(true, |path| path.extension().is_some_and(|ending| ending == "toml")))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    let mut rows = String::from("&[\n");
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        // Again no absolute path: the compiler puts in that of the checkout that it compiles.
        let text = format!("concat!(env!(\"CARGO_MANIFEST_DIR\"), {:?})", format!("/../{folder}/{name}.toml"));
        writeln!(rows, "    ({name:?}, include_str!({text})),").map_err(io::Error::other)?;
    }
    rows.push_str("]\n");
    fs::write(Path::new(&variable("OUT_DIR")?).join(to), rows)
}
