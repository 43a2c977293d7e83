//! What stands in a store of one image: its file, a manifest, the signed reports about it, and what was made of it.
//!
//! Nothing here decides anything; it puts papers where [`promotion`](super::promotion) and others look for them.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::store::{Creation, Put, Store, StoreError};
use crate::{
    gate::{
        Envelope, EnvelopeError, Evidence, EvidenceError, Exported, ExportedError, ExportedFile, PublicKey, Revocation,
        SignedExport, SigningKey,
    },
    image::Digest,
    report::{Report, SBOM},
};

/// The largest report, in bytes.
const LARGEST_REPORT: u64 = 16 << 20;
/// What `ssh-keygen -Y verify -n` has to be told.
const SSH_NAMESPACE: &str = "kverify";
/// The largest other paper, in bytes.
const LARGEST: u64 = 1 << 20;

/// What is known of an image in a store besides what was proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Its name, without an ending.
    pub name: String,
    /// The name of its file.
    pub file: String,
    /// Its digest.
    pub digest: Digest,
    /// Size of its file, in bytes.
    pub bytes: u64,
    /// `qcow2` or `raw`.
    pub format: String,
    /// When it was put there (RFC 3339).
    pub stored: Timestamp,
    /// Version of kverify that did.
    pub kverify: String,
    /// The commit it was built from, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<Git>,
}

/// Where an image comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Git {
    /// The commit.
    pub commit: String,
    /// The address of `origin`, without credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// Whether the tree had changes that are in no commit.
    pub changed: bool,
}

/// Why something is not on its shelf.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The report is of another image.
    #[error("the report is of {of}, and the image is {image}; verify this image again")]
    OtherImage {
        /// The image of the report.
        of: String,
        /// The image that is to be stored.
        image: Digest,
    },
    /// An export cannot be put there.
    #[error("export {}: {why}", path.display())]
    Export {
        /// Its folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A paper cannot be read.
    #[error("store {store}: {key}: {why}")]
    Paper {
        /// The store.
        store: String,
        /// The paper.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is no such image.
    #[error("store {store}: there is no image {what}; `kverify store` puts one there")]
    NoImage {
        /// The store.
        store: String,
        /// Its digest or name.
        what: String,
    },
}

/// A signed report, as texts.
pub struct Papers {
    /// The report.
    pub report: Vec<u8>,
    /// Its attestation.
    pub attestation: Vec<u8>,
    /// The list of packages, where the report has one.
    pub sbom: Option<Vec<u8>>,
}

/// How many digits of a commit stand in a name.
const SHORT: usize = 8;

impl Git {
    /// The commit as it stands in a name; a tree with changes that are in no commit says so.
    #[must_use]
    pub fn short(&self) -> String {
        let sha: String = self.commit.chars().take(SHORT).collect();
        if self.changed { sha + "-dirty" } else { sha }
    }

    /// The commit of the tree that `folder` is in; nothing where it is in none, or git is not there.
    #[must_use]
    pub fn of(folder: &Path) -> Option<Self> {
        let git = |words: &[&str]| {
            let output = Command::new("git").arg("-C").arg(folder).args(words).output().ok()?;
            let text = String::from_utf8(output.stdout).ok()?;
            output.status.success().then(|| text.trim().to_owned())
        };
        let commit = git(&["rev-parse", "HEAD"])?;
        let changed = git(&["status", "--porcelain"]).is_none_or(|changes| !changes.is_empty());
        let remote = git(&["remote", "get-url", "origin"]).map(|url| without_credentials(&url));
        Some(Self { commit, remote, changed })
    }
}

/// An address without what stands before its `@`, where that belongs to a scheme.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    if path.is_empty() { format!("{scheme}://{host}") } else { format!("{scheme}://{host}/{path}") }
}

/// Puts an image and the signed reports about it into a store, under a name that stands for this image alone.
///
/// # Errors
/// [`ShelfError`] says what is wrong; what was put there before that is whole, and can be put again.
pub async fn keep(
    store: &Store,
    file: &File,
    papers: &[Papers],
    (name, git): (&str, Option<Git>),
) -> Result<(Put, Manifest), ShelfError> {
    let reports = papers.iter().map(|papers| {
        serde_json::from_slice::<Report>(&papers.report).map_err(|error| paper(store, "report.json", &error))
    });
    let reports: Vec<_> = reports.collect::<Result<_, _>>()?;
    let Some(subject) = reports.first().map(|report| &report.subject) else {
        return Err(paper(store, "report.json", &"there is none; kverify verify makes it"));
    };
    let digest: Digest = subject.digest.parse().map_err(|error| paper(store, "report.json", &error))?;
    if let Some(other) = reports.iter().find(|report| report.subject.digest != subject.digest) {
        return Err(ShelfError::OtherImage { of: other.subject.digest.clone(), image: digest });
    }
    for (report, papers) in reports.iter().zip(papers) {
        if report.sbom != papers.sbom.as_deref().map(|sbom| Digest::of(sbom).to_string()) {
            return Err(paper(
                store,
                SBOM,
                &"it is not the list of packages that belongs to the report; verify the image again",
            ));
        }
    }
    store.claim(name, digest).await?;
    let file_name = format!("{name}.{}", subject.format);
    let put = store.put_image(file, &file_name, digest).await?;
    let manifest = Manifest {
        name: name.to_owned(),
        file: file_name,
        digest,
        bytes: put.bytes,
        format: subject.format.clone(),
        stored: Timestamp::now(),
        kverify: env!("CARGO_PKG_VERSION").to_owned(),
        git,
    };
    for papers in papers {
        let at = format!("images/{}/evidence/{}", digest.hex(), Digest::of(&papers.report).hex());
        create_same(store, &format!("{at}.report.json"), &papers.report).await?;
        if let Some(sbom) = &papers.sbom {
            create_same(store, &format!("{at}.{SBOM}"), sbom).await?;
        }
        // Another signature of the same report is as good as the first.
        store.create(&format!("{at}.dsse.json"), &papers.attestation).await?;
    }
    let key = manifest_key(digest);
    let text = serde_json::to_vec_pretty(&manifest).map_err(|error| paper(store, &key, &error))?;
    let manifest = match store.create(&key, &text).await? {
        Creation::Created => manifest,
        Creation::AlreadyThere(held) => serde_json::from_slice(&held).map_err(|error| paper(store, &key, &error))?,
    };
    Ok((put, manifest))
}

async fn create_same(store: &Store, key: &str, bytes: &[u8]) -> Result<(), ShelfError> {
    match store.create(key, bytes).await? {
        Creation::AlreadyThere(held) if held != bytes => Err(paper(store, key, &"it is there with other content")),
        Creation::Created | Creation::AlreadyThere(_) => Ok(()),
    }
}

/// Puts a signed decision beside its image, for tools that know nothing of channels: the envelope, the statement alone,
/// and an SSH signature of the statement.
///
/// # Errors
/// [`ShelfError`] where the store does not take them.
pub(super) async fn put_summary(
    store: &Store,
    manifest: &Manifest,
    channel: &str,
    summary: &Envelope,
    key: &SigningKey,
) -> Result<(), ShelfError> {
    let text = summary.to_json();
    let at = format!("images/{}/summaries/{channel}-{}", manifest.digest.hex(), Digest::of(&text).hex());
    let statement = summary.payload().map_err(|error| paper(store, &at, &error))?;
    let signature = key.sign_ssh(SSH_NAMESPACE, &statement).map_err(|error| paper(store, &at, &error))?;
    let texts = [("dsse.json", text), ("json", statement), ("json.sig", signature.into_bytes())];
    for (ending, text) in texts {
        create_same(store, &format!("{at}.{ending}"), &text).await?;
    }
    Ok(())
}

/// Puts the files of a signed export beside the image that they were made of; gives how many were not there before.
///
/// # Errors
/// [`ShelfError`] says what is wrong. The record comes last, so that what it names is there.
pub async fn keep_export(
    store: &Store,
    image: Digest,
    envelope: &Envelope,
    folder: &Path,
) -> Result<(Exported, usize), ShelfError> {
    let wrong = |why: &dyn ToString| ShelfError::Export { path: folder.to_owned(), why: why.to_string() };
    let record = envelope.payload().map_err(|error| wrong(&error))?;
    let exported = Exported::read(&record).map_err(|error| wrong(&error))?;
    if exported.digest != image {
        return Err(wrong(&format!("it was made of {}, and the image is {image}; export this one", exported.digest)));
    }
    let mut new = 0;
    for ExportedFile { file: name, sha256, .. } in &exported.files {
        let file = File::open(folder.join(name)).map_err(|error| wrong(&format!("{name}: {error}")))?;
        let put = store.put_export(image, &file, name, *sha256).await?;
        new += usize::from(!put.already_there);
    }
    let key = format!("{}/{}.dsse.json", exports_key(image), Digest::of(&record).hex());
    // Another signature of the same record is as good as the first.
    store.create(&key, &envelope.to_json()).await?;
    Ok((exported, new))
}

/// The signed records of what was made of an image that count, with the files that are there, and why others do not.
///
/// # Errors
/// [`ShelfError`] where the store cannot be read.
pub async fn exports(
    store: &Store,
    image: Digest,
    trusted: &[PublicKey],
) -> Result<(Vec<SignedExport>, Vec<String>), ShelfError> {
    let folder = exports_key(image);
    let keys = store.list(&folder).await?;
    let (mut exports, mut others) = (Vec::new(), Vec::new());
    for key in keys.iter().filter(|key| key.ends_with(".dsse.json")) {
        let text = store.read(key, LARGEST).await?.unwrap_or_default();
        let envelope = Envelope::parse(&text).map_err(ExportedError::from);
        let mut signed = match envelope.and_then(|envelope| SignedExport::open(&envelope, trusted)) {
            Ok(signed) => signed,
            Err(why) => {
                others.push(format!("{key}: {why}"));
                continue;
            }
        };
        signed.exported.files.retain(|one| {
            let there = keys.contains(&format!("{folder}/{}/{}", one.sha256.hex(), one.file));
            if !there {
                others.push(format!("{key}: {} is not there", one.file));
            }
            there
        });
        exports.push(signed);
    }
    Ok((exports, others))
}

/// The image that a digest or a name means.
///
/// # Errors
/// [`ShelfError::NoImage`] where there is none.
pub async fn manifest(store: &Store, what: &str) -> Result<Manifest, ShelfError> {
    let none = || ShelfError::NoImage { store: store.to_string(), what: what.to_owned() };
    let digest = match what.parse() {
        Ok(digest) => digest,
        Err(_) => store.named(what).await?.ok_or_else(none)?,
    };
    let key = manifest_key(digest);
    let text = store.read(&key, LARGEST).await?.ok_or_else(none)?;
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| paper(store, &key, &error))?;
    if manifest.digest != digest {
        return Err(paper(store, &key, &format!("it is of {}", manifest.digest)));
    }
    Ok(manifest)
}

/// The signed reports about an image that count, and why others do not.
///
/// # Errors
/// [`ShelfError`] where the store cannot be read.
pub async fn evidence(
    store: &Store,
    digest: Digest,
    trusted: &[PublicKey],
) -> Result<(Vec<Evidence>, Vec<String>), ShelfError> {
    let (mut evidence, mut others) = (Vec::new(), Vec::new());
    for key in store.list(&format!("images/{}/evidence", digest.hex())).await? {
        let Some(stem) = key.strip_suffix(".report.json") else { continue };
        let report = store.read(&key, LARGEST_REPORT).await?.unwrap_or_default();
        let signed = store.read(&format!("{stem}.dsse.json"), LARGEST).await?;
        let opened = signed.ok_or_else(|| EnvelopeError::Malformed("it is not signed".to_owned()));
        let opened = opened.and_then(|text| Envelope::parse(&text)).map_err(EvidenceError::from);
        match opened.and_then(|envelope| Evidence::open(&envelope, &report, trusted)) {
            Ok(one) => evidence.push(one),
            Err(why) => others.push(format!("{key}: {why}")),
        }
    }
    Ok((evidence, others))
}

/// Why an image is revoked, where it is.
///
/// # Errors
/// [`ShelfError`] where the store cannot be read.
pub async fn revoked(store: &Store, digest: Digest, trusted: &[PublicKey]) -> Result<Option<String>, ShelfError> {
    let text = store.read(&revocation_key(digest), LARGEST).await?;
    Ok(text.map(|text| Revocation::reason(&text, digest, trusted)))
}

/// Where the revocation of an image lies.
pub(super) fn revocation_key(digest: Digest) -> String {
    format!("revoked/{}.json", digest.hex())
}

fn exports_key(image: Digest) -> String {
    format!("images/{}/exports", image.hex())
}

fn manifest_key(digest: Digest) -> String {
    format!("images/{}/manifest.json", digest.hex())
}

fn paper(store: &Store, key: &str, why: &dyn ToString) -> ShelfError {
    ShelfError::Paper { store: store.to_string(), key: key.to_owned(), why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use super::without_credentials;

    #[test]
    fn an_address_loses_its_credentials() {
        for (url, shown) in [
            ("https://user:token@git.example/a/b.git", "https://git.example/a/b.git"),
            ("https://git.example", "https://git.example"),
            ("git@git.example:a/b.git", "git@git.example:a/b.git"),
            ("/srv/git/a.git", "/srv/git/a.git"),
        ] {
            assert_eq!(without_credentials(url), shown);
        }
    }
}
