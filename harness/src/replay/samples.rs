//! Recordings for tests: one pool called rpool, and what is said of that.

use std::{fs, path::Path};

/// What `zpool status` answers where the pool is well; `says` is written behind it.
pub(crate) fn well(says: &str) -> String {
    let answer = "  pool: rpool\n state: ONLINE\nconfig:\n\n\tNAME  STATE  READ  WRITE  CKSUM\n\trpool  ONLINE  0  0  0\n\nerrors: No known data errors\n";
    recording(0, answer, says)
}

/// The same where there is no `zpool`.
pub(crate) fn no_tool(says: &str) -> String {
    recording(127, "", says)
}

fn recording(code: i32, answer: &str, says: &str) -> String {
    format!(
        "fact = 'zfs.pool-status'\nfrom = 'by hand'\nabout = 'one pool'\n[[answers]]\nexit = {{ code = {code} }}\n\
         probe = {{ command = ['zpool', 'status', '-pv'] }}\nstdout = \"\"\"{answer}\"\"\"\n{says}"
    )
}

/// What is said of a check.
pub(crate) fn says(check: &str, is: &str) -> String {
    format!("[[says]]\ncheck = '{check}'\nis = '{is}'\n")
}

/// Writes files below a folder.
pub(crate) fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        path.parent().map(fs::create_dir_all).transpose().unwrap();
        fs::write(path, text).unwrap();
    }
}
