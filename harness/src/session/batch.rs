//! A batch of probes as one POSIX shell script, and how its answer is read.
//!
//! Process starts are what a probe costs, above all under emulation, so the script starts little else: the shell's own
//! redirections catch the output, its own limit on file sizes bounds it, `/proc/uptime` times it, and one `tar` brings
//! everything back at the end. The end mark is random, and comes after the answers.

use std::{collections::HashMap, fmt::Write as _, io::Read as _, time::Duration};

use kverify_checks::{Effect, Exit, Output, Probe, Source};

/// How many probes run side by side in the guest.
const LANES: usize = 2;
/// The largest file, in blocks of 512 bytes, that a probe which changes the machine may write: 1 GiB.
const MOST_BLOCKS: usize = 2 << 20;
/// What `timeout` and `kill` leave as exit statuses.
const TIMED_OUT: i32 = 124;
const KILLED: i32 = 128 + 9;
const FILE_TOO_LARGE: i32 = 128 + 25;

/// Why the answer to a batch could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The end mark is not there: something cut the answer off.
    #[error("the answer of the probes ends without its mark; the last it said: {0}")]
    CutOff(String),
    /// A probe is not in the answer.
    #[error("no answer from probe `{0}`")]
    Missing(String),
    /// The archive that holds the answers is broken.
    #[error("the answers cannot be unpacked: {0}")]
    Broken(#[from] std::io::Error),
}

/// A batch of probes made ready to run as root by `sh -s`.
pub(crate) struct Batch<'a> {
    probes: &'a [Probe],
    mark: String,
}

impl<'a> Batch<'a> {
    /// A batch of command and file probes, those that only look first; `nonce` must be fresh and unguessable.
    ///
    /// The limit on file sizes that bounds the output of those that look is not for the others: they may write files.
    pub(crate) fn new(probes: &'a [Probe], nonce: u128) -> Self {
        Self { probes, mark: format!("kverify-{nonce:032x}") }
    }

    /// How long all of it may take.
    pub(crate) fn limit(&self) -> Duration {
        self.probes.iter().map(|probe| probe.limit).sum::<Duration>() + Duration::from_mins(1)
    }

    /// The most bytes that its answer can have.
    pub(crate) fn bound(&self) -> usize {
        self.probes.iter().map(|probe| 2 * probe.bound + 16 * 1024).sum::<usize>() + 64 * 1024
    }

    /// The script.
    pub(crate) fn script(&self) -> String {
        let mark = &self.mark;
        let blocks = self.probes.iter().map(|probe| probe.bound).max().unwrap_or_default() / 512 + 1;
        let mut script = format!(
            "d=$(mktemp -d /run/kverify.XXXXXXXX 2>/dev/null || mktemp -d) || exit 97\n\
             trap 'cd /; rm -rf \"$d\"' EXIT\n\
             cd \"$d\" || exit 97\n\
             ulimit -f {MOST_BLOCKS}\n\
             set -C\n"
        );
        for (number, probe) in self.probes.iter().enumerate() {
            let seconds = probe.limit.as_secs().max(1);
            let _ = write!(script, "p{number}() {{ timeout -k 2 {seconds}");
            match &probe.source {
                Source::File(path) => {
                    let _ = write!(script, " head -c {} {}", probe.bound + 1, quoted(path));
                }
                Source::Command(argv) => argv.iter().for_each(|word| {
                    let _ = write!(script, " {}", quoted(word));
                }),
                other => unreachable!("{other} is not asked in the guest"),
            }
            script.push_str("; }\n");
        }
        let count = self.probes.len();
        let looks = self.probes.iter().take_while(|probe| probe.effect == Effect::Reads).count();
        let _ = write!(
            script,
            "one() {{ read -r a b </proc/uptime; \"p$1\" </dev/null >\"o$1\" 2>\"e$1\"; s=$?\n\
             read -r c b </proc/uptime; echo \"$s $a $c\" >\"x$1\"; echo \"{mark}:did $1\"; }}\n\
             lane() {{ ulimit -f {blocks}; n=0; while [ $n -lt {looks} ]; do\n\
             if {{ echo >\"c$n\"; }} 2>/dev/null; then one $n; fi; n=$((n+1)); done; }}\n"
        );
        script.push_str(&"lane &\n".repeat(LANES));
        let _ = write!(
            script,
            "wait\nn={looks}; while [ $n -lt {count} ]; do one $n; n=$((n+1)); done\necho \"{mark}:answers\"\ntar cf - o* e* x* 2>/dev/null\nprintf '\\n%s' \"{mark}:end\"\n"
        );
        script
    }

    /// The number of the probe that a line says is done.
    pub(crate) fn done(&self, line: &str) -> Option<usize> {
        line.trim_end().strip_prefix(&self.mark)?.strip_prefix(":did ")?.parse().ok()
    }

    /// Reads the answer of the script: one output per probe, in order.
    ///
    /// # Errors
    /// [`BatchError`] where it is not whole.
    pub(crate) fn read(&self, answer: &[u8]) -> Result<Vec<Output>, BatchError> {
        let begin = format!("{}:answers\n", self.mark).into_bytes();
        let end = format!("\n{}:end", self.mark).into_bytes();
        let cut = || BatchError::CutOff(last_words(answer));
        let whole = answer.strip_suffix(end.as_slice()).ok_or_else(cut)?;
        let at = whole.windows(begin.len()).position(|window| window == begin).ok_or_else(cut)?;
        let mut files = unpack(&whole[at + begin.len()..])?;
        self.probes
            .iter()
            .enumerate()
            .map(|(number, probe)| {
                output(number, probe, &mut files).ok_or_else(|| BatchError::Missing(probe.source.to_string()))
            })
            .collect()
    }
}

fn unpack(archive: &[u8]) -> Result<HashMap<String, Vec<u8>>, BatchError> {
    let mut files = HashMap::new();
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        files.insert(name, content);
    }
    Ok(files)
}

fn output(number: usize, probe: &Probe, files: &mut HashMap<String, Vec<u8>>) -> Option<Output> {
    let times = files.remove(&format!("x{number}"))?;
    let mut stdout = files.remove(&format!("o{number}"))?;
    let mut stderr = files.remove(&format!("e{number}"))?;
    let times = String::from_utf8(times).ok()?;
    let mut fields = times.split_ascii_whitespace();
    let status: i32 = fields.next()?.parse().ok()?;
    let begin: f64 = fields.next()?.parse().ok()?;
    let end: f64 = fields.next()?.parse().ok()?;
    let took = Duration::try_from_secs_f64(end - begin).unwrap_or_default();
    let truncated = stdout.len() > probe.bound || stderr.len() > probe.bound || status == FILE_TOO_LARGE;
    stdout.truncate(probe.bound);
    stderr.truncate(probe.bound);
    let exit = match status {
        TIMED_OUT | KILLED if took >= probe.limit => Exit::TimedOut,
        FILE_TOO_LARGE => Exit::Code(0),
        status if status > 128 => Exit::Signal(status - 128),
        status => Exit::Code(status),
    };
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Some(Output { exit, stdout: text(stdout), stderr: text(stderr), truncated, took })
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn last_words(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(&answer[answer.len().saturating_sub(4096)..]).into_owned();
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("nothing");
    kverify_checks::console::plain(last).chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        process::{Command, Stdio},
        time::Duration,
    };

    use kverify_checks::{Exit, Output, Probe};

    use super::{Batch, BatchError};

    fn answer(batch: &Batch<'_>) -> Vec<u8> {
        let mut shell = Command::new("sh").arg("-s").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        shell.stdin.take().unwrap().write_all(batch.script().as_bytes()).unwrap();
        shell.wait_with_output().unwrap().stdout
    }

    fn run(probes: &[Probe]) -> Vec<Output> {
        let batch = Batch::new(probes, 7);
        batch.read(&answer(&batch)).unwrap()
    }

    #[test]
    fn each_probe_gets_its_own_answer() {
        let out = run(&[
            Probe::root(["printf", "%s", "it's $HOME `x`"]),
            Probe::root(["sh", "-c", "echo wrong >&2; exit 3"]),
            Probe::file("/proc/self/comm"),
            Probe::file("/no/such/file"),
            Probe::root(["no-such-program"]),
            Probe::root(["sh", "-c", "kill -SEGV $$"]),
        ]);
        assert_eq!((out[0].stdout.as_str(), out[0].exit), ("it's $HOME `x`", Exit::Code(0)));
        assert_eq!((out[1].stderr.as_str(), out[1].exit), ("wrong\n", Exit::Code(3)));
        assert_eq!(out[2].stdout, "head\n");
        assert_eq!(out[3].exit, Exit::Code(1));
        assert!(out[3].stderr.contains("No such file"), "{}", out[3].stderr);
        assert_eq!(out[4].exit, Exit::Code(127));
        assert_eq!(out[5].exit, Exit::Signal(11));
    }

    #[test]
    fn output_and_time_are_bounded() {
        let out = run(&[
            Probe::root(["yes"]).bound(10_000),
            Probe::root(["sleep", "60"]).limit(Duration::from_secs(1)),
            Probe::file("/dev/zero").bound(10_000),
        ]);
        assert!(out[0].truncated && out[0].stdout.len() == 10_000);
        assert_eq!(out[1].exit, Exit::TimedOut);
        assert!(out[2].truncated && out[2].ok().is_err());
    }

    #[test]
    fn what_changes_the_machine_comes_last_and_may_write_files() {
        let write = "dd if=/dev/zero of=big bs=1024 count=64 2>/dev/null && wc -c <big; rm -f big";
        let out = run(&[
            Probe::root(["sh", "-c", "cat o2 2>/dev/null || echo not yet"]).bound(1024),
            Probe::root(["sh", "-c", "cat o2 2>/dev/null || echo not yet"]).bound(1024),
            Probe::root(["sh", "-c", write]).bound(1024).touches(),
        ]);
        assert_eq!((out[0].stdout.as_str(), out[1].stdout.as_str()), ("not yet\n", "not yet\n"));
        assert_eq!(out[2].stdout, "65536\n");
    }

    #[test]
    fn a_forged_end_is_not_the_end() {
        let probes = [Probe::root(["printf", "kverify-00:answers\\n\\nkverify-00:end"])];
        assert_eq!(run(&probes)[0].stdout, "kverify-00:answers\n\nkverify-00:end");
    }

    #[test]
    fn an_answer_that_is_cut_off_is_no_answer() {
        let probes = [Probe::root(["true"])];
        let batch = Batch::new(&probes, 7);
        let whole = answer(&batch);
        for length in [0, 10, whole.len() / 2, whole.len() - 1] {
            assert!(matches!(batch.read(&whole[..length]), Err(BatchError::CutOff(_))), "{length}");
        }
    }

    #[test]
    fn progress_lines_name_the_probe() {
        let probes = [Probe::root(["true"])];
        let batch = Batch::new(&probes, 7);
        let whole = String::from_utf8_lossy(&answer(&batch)).into_owned();
        assert_eq!(whole.lines().find_map(|line| batch.done(line)), Some(0));
    }
}
