//! Why files did not get to another host.

use std::io;

/// Why files did not get to another host, or not all of them; what is there under its final name is whole.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// A program of OpenSSH's cannot be run.
    #[error("{program} cannot be run: {why}; Debian's package openssh-client has it")]
    Program {
        /// The program.
        program: &'static str,
        /// Why.
        why: String,
    },
    /// The host is not there, or lets nobody in.
    #[error("{target}: not reached: {said}")]
    Away {
        /// The host and folder.
        target: String,
        /// What ssh said.
        said: String,
    },
    /// The folder takes nothing.
    #[error("{target}: no files can be put there: {said}")]
    Folder {
        /// The host and folder.
        target: String,
        /// What sftp said.
        said: String,
    },
    /// The files have no room there.
    #[error(
        "{target}: the files can take {needed} bytes, and {free} are free there; name another folder, or fewer formats"
    )]
    Room {
        /// The host and folder.
        target: String,
        /// The most that they take.
        needed: u64,
        /// What is free.
        free: u64,
    },
    /// Something has the name of a file that would be sent.
    #[error("{target}: {name} is there already, {why}; remove it there or name another folder")]
    There {
        /// The host and folder.
        target: String,
        /// The name.
        name: String,
        /// How it is another one.
        why: String,
    },
    /// A file was not sent whole.
    #[error("{target}: {name} did not get there whole: {said}")]
    Broke {
        /// The host and folder.
        target: String,
        /// The file.
        name: String,
        /// What sftp said.
        said: String,
    },
    /// What came there is not what was sent.
    #[error(
        "{target}: what came there of {name} is not what was sent, {why}; it was removed there, and will be sent anew"
    )]
    Differs {
        /// The host and folder.
        target: String,
        /// The file.
        name: String,
        /// What tells.
        why: String,
    },
    /// The sums could not be told, where they can be asked.
    #[error("{target}: its sha256sum does not say whether the files are whole: {said}")]
    Sums {
        /// The host and folder.
        target: String,
        /// What it said.
        said: String,
    },
    /// It took too long.
    #[error("{target}: {what} was not done within {seconds} s")]
    Late {
        /// The host and folder.
        target: String,
        /// The program.
        what: &'static str,
        /// How long it had.
        seconds: u64,
    },
    /// A file of this host cannot be read or written.
    #[error("what is sent cannot be read: {0}")]
    Local(#[from] io::Error),
}
