//! `kverify attest` and `kverify verify-attestation`: signing what a run found out, and checking what was signed.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use anyhow::{Context as _, bail};

use super::{said::Said, whole::write_whole};
use crate::{
    gate::{
        Envelope, Evidence, PayloadType, Policy, PublicKey, SignedExport, SigningKey, Statement, Summary, TestResult,
    },
    image::{Digest, Image},
    pipeline::RECORD,
    report::{Conclusion, REPORT},
};

/// The name of a signed report beside its report.
pub(crate) const ATTESTATION: &str = "attestation.dsse.json";

/// The name of a signed record of an export beside it.
pub(crate) const SIGNED_EXPORT: &str = "export.dsse.json";

/// Options of `kverify attest`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of a report, as `kverify verify` left it, or of an export.
    folder: PathBuf,
    /// The private key [default: the text in `KVERIFY_KEY`].
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
}

/// Options of `kverify verify-attestation`.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// The image, or a file that was exported from one.
    image: PathBuf,
    /// The attestation: a signed test result, a verification summary, or the signed record of an export.
    #[arg(long, value_name = "FILE")]
    attestation: PathBuf,
    /// A public key that is trusted: a `.pub` file.
    #[arg(long, value_name = "FILE", required_unless_present = "policy")]
    key: Vec<PathBuf>,
    /// A policy, whose keys are trusted.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The channel that a summary has to be for.
    #[arg(long)]
    channel: Option<String>,
}

/// Signs a report or the record of an export, whichever is there.
pub(crate) fn said(args: &Args) -> anyhow::Result<Said> {
    let key = SigningKey::find(args.key.as_deref())?;
    let (path, out) = (args.folder.join(REPORT), args.folder.join(ATTESTATION));
    if !path.exists() && args.folder.join(RECORD).exists() {
        return exported(&args.folder, &key);
    }
    let text = fs::read(&path).with_context(|| format!("report {}", path.display()))?;
    let envelope = Evidence::sign(&text, &key).with_context(|| format!("report {}", path.display()))?;
    let evidence = Evidence::open(&envelope, &text, &[key.public()])?;
    write_whole(&out, &envelope.to_json())?;
    let report = &evidence.report;
    Ok(Said::well(format!(
        "{}: {} is {}, signed by {}\n",
        out.display(),
        report.subject.name,
        report.verdict,
        evidence.signed_by
    )))
}

fn exported(folder: &Path, key: &SigningKey) -> anyhow::Result<Said> {
    let (path, out) = (folder.join(RECORD), folder.join(SIGNED_EXPORT));
    let text = fs::read(&path).with_context(|| path.display().to_string())?;
    let envelope = SignedExport::sign(&text, key).with_context(|| path.display().to_string())?;
    let SignedExport { exported, signed_by } = SignedExport::open(&envelope, &[key.public()])?;
    write_whole(&out, &envelope.to_json())?;
    let formats: Vec<_> = exported.files.iter().map(|file| file.format.to_string()).collect();
    let said = format!("{} exported as {}, signed by {signed_by}", exported.image, formats.join(", "));
    Ok(Said::well(format!("{}: {said}\n", out.display())))
}

/// Checks an attestation of an image.
pub(crate) fn checked(args: &CheckArgs) -> anyhow::Result<Said> {
    let trusted = trusted(&args.key, args.policy.as_deref())?;
    let text = fs::read(&args.attestation).with_context(|| args.attestation.display().to_string())?;
    let channel = args.channel.as_deref();
    let judged = if Envelope::parse(&text).is_ok_and(|envelope| envelope.is(PayloadType::Export)) {
        // A file of any format; only its bytes count.
        let file = Digest::of_path(&args.image);
        judge_export(&text, &trusted, file.with_context(|| args.image.display().to_string())?, channel)
    } else {
        let digest = Image::open(&args.image)?.digest(|_| (), &AtomicBool::new(false))?;
        judge(&text, &trusted, digest, channel)
    };
    Ok(match judged {
        Ok(said) => Said::well(format!("{}: {said}\n", args.image.display())),
        Err(why) => Said { text: format!("{}: not attested: {why:#}\n", args.image.display()), code: 1 },
    })
}

/// What a believable attestation says of the image with this digest.
fn judge(text: &[u8], trusted: &[PublicKey], digest: Digest, channel: Option<&str>) -> anyhow::Result<String> {
    let envelope = Envelope::parse(text)?;
    let (payload, key) = envelope.open(PayloadType::InToto, trusted)?;
    let by = key.fingerprint();
    let Ok(result) = serde_json::from_slice::<Statement<TestResult>>(&payload) else {
        let summary = Summary::open(&envelope, trusted, digest, channel)?;
        return Ok(format!("met its policy for {}, {} ({by})", summary.resource_uri, summary.time_verified));
    };
    if let Some(channel) = channel {
        bail!("it is a test result, which is for no channel; the summary of a promotion to {channel} is wanted");
    }
    if result.subjects() != [digest] {
        bail!("it is of another image: {:?}, and this is {digest}", result.subjects());
    }
    let TestResult { result, passed_tests, warned_tests, failed_tests, .. } = result.predicate;
    if !failed_tests.is_empty() || result == "FAILED" {
        bail!("its test {result}: {}", failed_tests.join(", "));
    }
    let verdict = if warned_tests.is_empty() { Conclusion::Verified } else { Conclusion::VerifiedInPart };
    Ok(format!("{verdict}, {} passed, {} left out ({by})", passed_tests.len(), warned_tests.len()))
}

/// What the believable record of an export says of the file with this digest.
fn judge_export(text: &[u8], trusted: &[PublicKey], digest: Digest, channel: Option<&str>) -> anyhow::Result<String> {
    let SignedExport { exported, signed_by } = SignedExport::open(&Envelope::parse(text)?, trusted)?;
    if let Some(channel) = channel {
        bail!(
            "it is the record of an export, which is for no channel; the summary of a promotion to {channel} is wanted"
        );
    }
    let Some(file) = exported.files.iter().find(|file| file.sha256 == digest) else {
        let there: Vec<_> = exported.files.iter().map(|file| format!("{} {}", file.file, file.sha256)).collect();
        bail!("it names other files: {}; this is {digest}", there.join(", "));
    };
    let bytes = file.proof.equal_bytes;
    Ok(format!("{} of {}, {bytes} bytes equal ({signed_by})", file.format, exported.digest))
}

/// The keys of `.pub` files and of a policy.
pub(crate) fn trusted(files: &[PathBuf], policy: Option<&Path>) -> anyhow::Result<Vec<PublicKey>> {
    let mut trusted = policy.map(read_policy).transpose()?.map(|policy| policy.trusted).unwrap_or_default();
    for path in files {
        let line = fs::read_to_string(path).with_context(|| format!("key {}", path.display()))?;
        trusted.push(PublicKey::parse(&line).with_context(|| path.display().to_string())?);
    }
    Ok(trusted)
}

/// A policy from its file.
pub(crate) fn read_policy(path: &Path) -> anyhow::Result<Policy> {
    let text = fs::read_to_string(path).with_context(|| format!("policy {}", path.display()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(Policy::parse(&name, &text)?)
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::{
        gate::{Evidence, SigningKey},
        image::Digest,
        report::{Report, sample_refuted, sample_verified},
    };

    #[test]
    fn an_attestation_speaks_of_its_image_alone() {
        let key = SigningKey::generate().unwrap();
        let trusted = [key.public()];
        let image = Digest::of(b"image");
        let signed = |mut report: Report| {
            report.subject.digest = image.to_string();
            Evidence::sign(&serde_json::to_vec(&report).unwrap(), &key).unwrap().to_json()
        };
        let good = signed(sample_verified());
        let said = judge(&good, &trusted, image, None).unwrap();
        assert!(said.starts_with("verified, "), "{said}");
        let why = |text: &[u8], digest, channel| judge(text, &trusted, digest, channel).unwrap_err().to_string();
        assert!(why(&good, Digest::of(b"other"), None).starts_with("it is of another image: [sha256:"));
        assert!(why(&good, image, Some("stable")).contains("the summary of a promotion to stable is wanted"));
        assert!(why(&signed(sample_refuted()), image, None).starts_with("its test FAILED: "));
        assert!(judge(&good, &[SigningKey::generate().unwrap().public()], image, None).is_err());
    }
}
