//! How the scripts that kverify is compared with enter their machine: files of a key and of a seed that lets it in.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use kverify::{image::Seed, session::RunKey};

/// Files in the work folder.
pub(crate) struct WayIn {
    pub(crate) seed: PathBuf,
    pub(crate) key: PathBuf,
}

impl WayIn {
    pub(crate) fn make(work: &Path) -> io::Result<Self> {
        let pair = RunKey::generate().map_err(io::Error::other)?;
        let user_data = format!(
            "#cloud-config\nusers:\n  - name: bench\n    lock_passwd: true\n    shell: /bin/sh\n    \
             sudo: \"ALL=(ALL) NOPASSWD:ALL\"\n    ssh_authorized_keys:\n      - {}\n",
            pair.public.trim()
        );
        let volume = Seed::new(Seed::CLOUD_INIT).file("meta-data", "instance-id: bench\n").file("user-data", user_data);
        let way_in = Self { seed: work.join("seed.img"), key: work.join("key") };
        fs::write(&way_in.seed, volume.volume().map_err(io::Error::other)?)?;
        write_key(&way_in.key, &pair.private)?;
        Ok(way_in)
    }
}

/// Writes a private key as ssh wants it: for its owner alone.
pub(crate) fn write_key(path: &Path, pem: &str) -> io::Result<()> {
    use io::Write as _;
    fs::File::options().write(true).create_new(true).mode(0o600).open(path)?.write_all(pem.as_bytes())
}
