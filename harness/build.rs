//! Lists the expectation sheets of `matrices/distros`, so that a new sheet is in the binary without an edit of code.

use std::{env, fmt::Write, fs, io, path::Path};

fn main() -> io::Result<()> {
    let variable = |name| env::var_os(name).ok_or_else(|| io::Error::other(format!("{name} is not set")));
    let sheets = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("../matrices/distros").canonicalize()?;
    // From the package, and not by its absolute path: checkouts that share a target folder would get each other's sheets.
    println!("cargo::rerun-if-changed=../matrices/distros");
    let mut paths = fs::read_dir(&sheets)?
        .map(|entry| Ok(entry?.path()))
        .filter(|path| path.as_ref().map_or(true, |path| path.extension().is_some_and(|ending| ending == "toml")))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    let mut rows = String::from("&[\n");
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        // Again no absolute path: the compiler puts in that of the checkout that it compiles.
        let text = format!("concat!(env!(\"CARGO_MANIFEST_DIR\"), {:?})", format!("/../matrices/distros/{name}.toml"));
        writeln!(rows, "    ({name:?}, include_str!({text})),").map_err(io::Error::other)?;
    }
    rows.push_str("]\n");
    fs::write(Path::new(&variable("OUT_DIR")?).join("sheets.rs"), rows)
}
