//! What a run found out, signed: an in-toto test result that names the image and the report by digest.
//!
//! The report itself travels beside it, unsigned; it counts only with a signed digest.

use kverify_checks::{Outcome, Status};
use serde::{Deserialize, Serialize};

use super::{Envelope, EnvelopeError, PayloadType, PublicKey, Resource, SigningKey, Statement};
use crate::{
    image::Digest,
    report::{Conclusion, REPORT, Report, SBOM},
};

/// The predicate type of a test result.
const PREDICATE: &str = "https://in-toto.io/attestation/test-result/v0.1";
/// The names of what a result was made with, beside report and list of packages.
const EXPECTATION: &str = "expectation ";
const CHECK_SET: &str = "check set";

/// in-toto's test result, version 0.1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestResult {
    /// `PASSED`, `WARNED` where something was left out, or `FAILED`.
    pub result: String,
    /// The report, the expectation, the set of checks, and the list of packages where there is one.
    pub configuration: Vec<Resource>,
    /// IDs of the checks that passed.
    pub passed_tests: Vec<String>,
    /// IDs of those that were left out.
    pub warned_tests: Vec<String>,
    /// IDs of those that failed, or could not be told.
    pub failed_tests: Vec<String>,
}

/// A report that a trusted key has signed.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The report.
    pub report: Report,
    /// Its digest.
    pub digest: Digest,
    /// Fingerprint of the key.
    pub signed_by: String,
}

/// Why evidence does not count.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// Its signature does not hold.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The report cannot be read.
    #[error("no report of this version of kverify: {0}")]
    Report(#[from] serde_json::Error),
    /// The statement is of another kind.
    #[error("it is a `{0}`, not a test result")]
    OtherPredicate(String),
    /// The statement and the report do not belong together.
    #[error("the signed statement is of another {what}: {signed}, and this is {here}")]
    Other {
        /// Of what.
        what: &'static str,
        /// The digest that was signed.
        signed: String,
        /// The digest of what is here.
        here: String,
    },
    /// The report contradicts itself.
    #[error("the report says {says}, and its outcomes say {follows}")]
    Contradiction {
        /// Its verdict.
        says: Conclusion,
        /// What follows from its outcomes.
        follows: Conclusion,
    },
    /// The report's digest of the image is none.
    #[error("the report names no digest of an image: `{0}`")]
    NoDigest(String),
}

impl Evidence {
    /// Signs the report whose text this is.
    ///
    /// # Errors
    /// [`EvidenceError`] where it is no report, or contradicts itself.
    pub fn sign(report: &[u8], key: &SigningKey) -> Result<Envelope, EvidenceError> {
        let digest = Digest::of(report);
        let report = read(report)?;
        let statement = Statement::new(&report.subject.name, subject(&report)?, PREDICATE, result(&report, digest)?);
        Ok(Envelope::sign(PayloadType::InToto, &serde_json::to_vec(&statement)?, key))
    }

    /// The report whose text this is, if a trusted key has signed it.
    ///
    /// # Errors
    /// [`EvidenceError`] says why it does not count.
    pub fn open(envelope: &Envelope, report: &[u8], trusted: &[PublicKey]) -> Result<Self, EvidenceError> {
        let (payload, key) = envelope.open(PayloadType::InToto, trusted)?;
        let statement: Statement<serde_json::Value> = serde_json::from_slice(&payload)?;
        if !statement.is_of(PREDICATE) {
            return Err(EvidenceError::OtherPredicate(statement.predicate_type().to_owned()));
        }
        let subjects = statement.subjects();
        let result: TestResult = serde_json::from_value(statement.predicate)?;
        let digest = Digest::of(report);
        let signed = result.configuration.iter().find(|resource| resource.name.as_deref() == Some(REPORT));
        let signed = signed.and_then(Resource::digest);
        if signed != Some(digest) {
            return Err(other("report", signed.as_slice(), digest));
        }
        let report = read(report)?;
        let image = subject(&report)?;
        if subjects != [image] {
            return Err(other("image", &subjects, image));
        }
        Ok(Self { report, digest, signed_by: key.fingerprint() })
    }

    /// The digest of the image.
    ///
    /// # Errors
    /// [`EvidenceError::NoDigest`] where the report has none.
    pub fn image(&self) -> Result<Digest, EvidenceError> {
        subject(&self.report)
    }
}

/// A report that does not contradict itself.
fn read(text: &[u8]) -> Result<Report, EvidenceError> {
    let report: Report = serde_json::from_slice(text)?;
    let follows = Conclusion::of(&report.outcomes);
    if report.verdict != follows {
        return Err(EvidenceError::Contradiction { says: report.verdict, follows });
    }
    Ok(report)
}

fn subject(report: &Report) -> Result<Digest, EvidenceError> {
    let text = &report.subject.digest;
    text.parse().map_err(|_| EvidenceError::NoDigest(text.clone()))
}

fn result(report: &Report, digest: Digest) -> Result<TestResult, EvidenceError> {
    let parse = |text: &str| text.parse().map_err(|_| EvidenceError::NoDigest(text.to_owned()));
    let ids = |wanted: fn(&Outcome) -> bool| {
        let wanted = report.outcomes.iter().filter(|outcome| wanted(outcome));
        wanted.map(|outcome| outcome.check.clone()).collect()
    };
    let mut configuration = vec![
        Resource::named(REPORT, digest),
        Resource::named(&format!("{EXPECTATION}{}", report.expectation.name), parse(&report.expectation.digest)?),
        Resource::named(CHECK_SET, parse(&report.check_set)?),
    ];
    if let Some(sbom) = &report.sbom {
        configuration.push(Resource::named(SBOM, parse(sbom)?));
    }
    Ok(TestResult {
        result: match report.verdict {
            Conclusion::Verified => "PASSED",
            Conclusion::VerifiedInPart => "WARNED",
            Conclusion::Refuted | Conclusion::NoVerdict => "FAILED",
        }
        .to_owned(),
        configuration,
        passed_tests: ids(|outcome| outcome.status == Status::Pass),
        warned_tests: ids(|outcome| {
            outcome.status == Status::Skip && outcome.cause != Some(kverify_checks::SkipCause::NotAsked)
        }),
        failed_tests: ids(|outcome| matches!(outcome.status, Status::Fail | Status::Error)),
    })
}

fn other(what: &'static str, signed: &[Digest], here: Digest) -> EvidenceError {
    let signed: Vec<_> = signed.iter().map(ToString::to_string).collect();
    let signed = if signed.is_empty() { "none".to_owned() } else { signed.join(", ") };
    EvidenceError::Other { what, signed, here: here.to_string() }
}

#[cfg(test)]
mod tests {
    use super::{Evidence, EvidenceError};
    use crate::{
        gate::{Envelope, PayloadType, SigningKey},
        report::{sample_refuted, sample_verified},
    };

    fn text(report: &crate::report::Report) -> Vec<u8> {
        serde_json::to_vec(report).unwrap()
    }

    #[test]
    fn what_was_signed_is_opened_and_nothing_else() {
        let key = SigningKey::generate().unwrap();
        let trusted = [key.public()];
        let report = text(&sample_verified());
        let envelope = Evidence::sign(&report, &key).unwrap();
        let evidence = Evidence::open(&envelope, &report, &trusted).unwrap();
        assert_eq!(evidence.report, sample_verified());
        assert_eq!(evidence.signed_by, key.public().fingerprint());
        let mut later = sample_verified();
        later.kverify = "9.9.9".to_owned();
        let other = Evidence::open(&envelope, &text(&later), &trusted).unwrap_err();
        assert!(matches!(other, EvidenceError::Other { what: "report", .. }), "{other}");
        let stranger = [SigningKey::generate().unwrap().public()];
        assert!(matches!(Evidence::open(&envelope, &report, &stranger), Err(EvidenceError::Envelope(_))));
        let foreign = Envelope::sign(
            PayloadType::InToto,
            b"{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[],\"predicateType\":\"x\",\"predicate\":{}}",
            &key,
        );
        let error = Evidence::open(&foreign, &report, &trusted).unwrap_err();
        assert_eq!(error.to_string(), "it is a `x`, not a test result");
    }

    #[test]
    fn a_report_that_contradicts_itself_is_not_signed() {
        let key = SigningKey::generate().unwrap();
        let mut report = sample_refuted();
        report.verdict = crate::report::Conclusion::Verified;
        let error = Evidence::sign(&text(&report), &key).unwrap_err();
        assert_eq!(error.to_string(), "the report says verified, and its outcomes say refuted");
        assert!(matches!(Evidence::sign(b"{}", &key), Err(EvidenceError::Report(_))));
    }
}
