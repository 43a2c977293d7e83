//! An OpenSSH server of a test's own, on a port of 127.0.0.1, into which the user who runs the test logs in.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::place::Place;

/// How long it may take to listen: the host may be busy.
const LIMIT: Duration = Duration::from_mins(1);
/// Where the programs of the server are, by distribution.
const SERVERS: [&str; 2] = ["/usr/sbin/sshd", "/usr/bin/sshd"];
const SFTP_SERVERS: [&str; 3] =
    ["/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server"];

/// A server that listens; it ends with this. `ssh.conf` in the place calls it `away`, and has the key.
pub(crate) struct Sshd {
    child: Child,
    pub(crate) port: u16,
}

fn there(programs: &[&'static str]) -> &'static str {
    programs.iter().find(|path| Path::new(path).exists()).expect("Debian's package openssh-server has it; ci/setup")
}

impl Sshd {
    /// Starts one that serves SFTP by the script `sftp`, which [`Sshd::serves`] writes; `more` are lines of its configuration.
    pub(crate) fn start(place: &Place, more: &str) -> Self {
        // What Debian's service makes before it starts one.
        if fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0) {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        for key in ["host", "id"] {
            place.run(&format!("ssh-keygen -q -t ed25519 -N  -f {key}"));
        }
        let path = |name: &str| place.path(name).display().to_string();
        Self::serves(place, "exec sftp-server");
        place.file(
            "sshd.conf",
            format!(
                "ListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM no\n\
                 PasswordAuthentication no\nLogLevel ERROR\n{more}\nSubsystem sftp {}\n",
                path("host"),
                path("id.pub"),
                path("sftp")
            ),
        );
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let host = fs::read_to_string(place.path("host.pub")).unwrap();
        place.file("known", format!("away {host}"));
        place.file(
            "ssh.conf",
            format!(
                "Host away\nHostName 127.0.0.1\nPort {port}\nHost *\nHostKeyAlias away\nUserKnownHostsFile {}\n\
                 IdentityFile {}\nIdentitiesOnly yes\nControlMaster no\n",
                path("known"),
                path("id")
            ),
        );
        let mut command = Command::new(there(&SERVERS));
        command.arg("-D").arg("-f").arg(place.path("sshd.conf")).args(["-p", &port.to_string()]);
        let child = command.arg("-E").arg(place.path("sshd.log")).stdin(Stdio::null()).spawn().unwrap();
        let mut server = Self { child, port };
        let since = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = || fs::read_to_string(place.path("sshd.log")).unwrap_or_default();
            assert!(server.child.try_wait().unwrap().is_none(), "sshd ended: {}", log());
            assert!(since.elapsed() < LIMIT, "sshd does not listen: {}", log());
            sleep(Duration::from_millis(50));
        }
        server
    }

    /// Serves SFTP by these lines of a shell from now on, to which `sftp-server` is the program.
    pub(crate) fn serves(place: &Place, script: &str) {
        let script = script.replace("sftp-server", there(&SFTP_SERVERS));
        let path = place.file("sftp", format!("#!/bin/sh\ncd '{}'\n{script}\n", place.path("").display()));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
