//! The `kverify` command.

fn main() {}
