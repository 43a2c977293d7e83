//! Headers of tar archives: plain members of POSIX ustar, as an OVA wants them, and the sparse members of GNU tar's old
//! format, as Google Compute Engine wants its `disk.raw`.
//!
//! After POSIX.1-1988 and the GNU tar manual, "Basic Tar Format" and "Old GNU Format". Written here, so that the crate
//! that reads them back is not the one that wrote them.

use std::io;

/// What archives count in, in bytes.
pub(super) const BLOCK: usize = 512;
/// Two blocks of zeros end an archive.
pub(super) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];
/// The longest name of a member, in bytes, and the largest size, that ustar has digits for.
const NAME: usize = 100;
const MAX_USTAR: u64 = 0o777_7777_7777;
/// Pieces in the first header of a sparse member, and in each block behind it.
const FIRST: usize = 4;
const MORE: usize = 21;
/// Size of offset and length of a piece, together.
const PIECE: usize = 24;

/// A piece of a sparse file that is stored: first byte and length.
pub(super) type Piece = (u64, u64);

/// The header of a plain file.
///
/// # Errors
/// `InvalidInput` where ustar cannot express it: a file of 8 GiB or more, a name over 100 bytes.
pub(super) fn plain(name: &str, bytes: u64) -> io::Result<[u8; BLOCK]> {
    if bytes > MAX_USTAR {
        return Err(too_large(&format!("{name}: {bytes} bytes; a member of an OVA can have {MAX_USTAR}")));
    }
    let mut header = named(name, bytes, b'0')?;
    header[257..265].copy_from_slice(b"ustar\x0000");
    sum(&mut header);
    Ok(header)
}

/// The header of a sparse file of `bytes` bytes of which these pieces are stored, with the blocks that follow it.
///
/// # Errors
/// `InvalidInput` where the name is too long.
pub(super) fn sparse(name: &str, bytes: u64, pieces: &[Piece]) -> io::Result<Vec<u8>> {
    let stored = pieces.iter().map(|(_, length)| length).sum();
    let mut header = named(name, stored, b'S')?;
    header[257..265].copy_from_slice(b"ustar  \0");
    number(&mut header[483..495], bytes);
    // A piece of nothing at the end says where the file ends, as GNU tar writes it.
    let ends = pieces.last().is_some_and(|(at, length)| at + length == bytes);
    let mut pieces = pieces.iter().copied().chain((!ends).then_some((bytes, 0))).peekable();
    put(&mut header[386..482], pieces.by_ref().take(FIRST));
    header[482] = u8::from(pieces.peek().is_some());
    sum(&mut header);
    let mut blocks = header.to_vec();
    while pieces.peek().is_some() {
        let mut block = [0; BLOCK];
        put(&mut block, pieces.by_ref().take(MORE));
        block[MORE * PIECE] = u8::from(pieces.peek().is_some());
        blocks.extend(block);
    }
    Ok(blocks)
}

/// How many zeros fill the last block of a member.
pub(super) fn padding(bytes: u64) -> usize {
    usize::try_from(bytes.next_multiple_of(BLOCK as u64) - bytes).unwrap_or_default()
}

fn put(places: &mut [u8], pieces: impl Iterator<Item = Piece>) {
    for (place, (at, length)) in places.chunks_exact_mut(PIECE).zip(pieces) {
        number(&mut place[..12], at);
        number(&mut place[12..], length);
    }
}

fn named(name: &str, bytes: u64, kind: u8) -> io::Result<[u8; BLOCK]> {
    if name.len() >= NAME {
        return Err(too_large(&format!("{name}: a name of {} bytes; an archive takes {}", name.len(), NAME - 1)));
    }
    let mut header = [0; BLOCK];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[108..116].copy_from_slice(b"0000000\0");
    header[116..124].copy_from_slice(b"0000000\0");
    number(&mut header[124..136], bytes);
    // No time: the same image makes the same archive.
    number(&mut header[136..148], 0);
    header[156] = kind;
    Ok(header)
}

/// A number in 12 bytes: 11 octal digits, or GNU's base 256 where those do not suffice.
fn number(field: &mut [u8], value: u64) {
    if value <= MAX_USTAR {
        field.copy_from_slice(format!("{value:011o}\0").as_bytes());
    } else {
        field.fill(0);
        field[0] = 0x80;
        field[4..].copy_from_slice(&value.to_be_bytes());
    }
}

/// The sum of all bytes, those of the sum itself counted as blanks.
fn sum(header: &mut [u8; BLOCK]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn too_large(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::{BLOCK, END, padding, plain, sparse};

    fn tar(folder: &std::path::Path, words: &[&str]) -> String {
        let run = Command::new("tar").args(words).current_dir(folder).env("LC_ALL", "C").env("TZ", "UTC").output();
        let run = run.unwrap();
        assert!(run.status.success() && run.stderr.is_empty(), "{}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).unwrap()
    }

    #[test]
    fn gnu_tar_unpacks_sparse_members_of_any_number_of_pieces() {
        let folder = tempfile::tempdir().unwrap();
        for (count, end) in [(0, 0), (1, 512), (3, 0), (4, 512), (4, 0), (25, 0), (26, 512), (100, 0)] {
            let pieces: Vec<_> = (0..count).map(|number| (number * 8192, 1024)).collect();
            let mut bytes = (count * 8192).max(1024) + 3 * 512;
            let mut pieces = pieces;
            if end > 0 {
                pieces.push((bytes, end));
                bytes += end;
            }
            let stored: u64 = pieces.iter().map(|piece| piece.1).sum();
            let mut archive = sparse("disk.raw", bytes, &pieces).unwrap();
            archive.extend(vec![7; usize::try_from(stored).unwrap()]);
            archive.extend(vec![0; padding(stored)]);
            archive.extend(END);
            fs::write(folder.path().join("a.tar"), archive).unwrap();
            let listed = tar(folder.path(), &["-tvf", "a.tar"]);
            assert!(listed.contains(&format!(" {bytes} 1970-01-01 00:00 disk.raw")), "{listed}");
            tar(folder.path(), &["-xf", "a.tar"]);
            let mut expected = vec![0_u8; usize::try_from(bytes).unwrap()];
            for (at, length) in &pieces {
                expected[usize::try_from(*at).unwrap()..][..usize::try_from(*length).unwrap()].fill(7);
            }
            assert!(fs::read(folder.path().join("disk.raw")).unwrap() == expected, "{count} pieces");
        }
    }

    #[test]
    fn gnu_tar_writes_the_same_header_but_for_owner_and_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk.raw");
        let file = fs::File::create(&path).unwrap();
        let (far, size) = (9_u64 << 30, 10_u64 << 30);
        std::os::unix::fs::FileExt::write_all_at(&file, &[7; 4096], far).unwrap();
        file.set_len(size).unwrap();
        let words = ["--format=oldgnu", "-S", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--mode=644"];
        tar(folder.path(), &[&words[..], &["-cf", "a.tar", "disk.raw"]].concat());
        let theirs = fs::read(folder.path().join("a.tar")).unwrap();
        let ours = sparse("disk.raw", size, &[(far, 4096)]).unwrap();
        // The file system gives the piece its size.
        assert_eq!(ours.len(), BLOCK);
        let differs: Vec<_> = (0..BLOCK).filter(|at| ours[*at] != theirs[*at]).collect();
        // GNU tar leaves out the owner's name with --numeric-owner, and the times of access and change.
        assert!(differs.is_empty(), "{differs:?}");
    }

    #[test]
    fn what_ustar_has_no_digits_for_is_refused() {
        let error = plain("disk.vmdk", 8 << 30).unwrap_err().to_string();
        assert_eq!(error, "disk.vmdk: 8589934592 bytes; a member of an OVA can have 8589934591");
        assert!(plain(&"a".repeat(99), 1).is_ok());
        assert!(plain(&"a".repeat(100), 1).unwrap_err().to_string().ends_with("an archive takes 99"));
    }
}
