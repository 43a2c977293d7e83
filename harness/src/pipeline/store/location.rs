//! Where a store is, as its user writes it, and how a bucket is opened.
//!
//! A location comes from the command line and is shown in errors, so it never holds credentials: one that seems to is
//! refused, and not shown.

use std::{path::PathBuf, sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum},
    azure::MicrosoftAzureBuilder,
    gcp::GoogleCloudStorageBuilder,
    path::Path,
    prefix::PrefixStore,
};

use super::{Key, StoreError};

/// How often a request is made again that the server did not answer, or answered with an error of its own.
const RETRIES: usize = 3;
/// No further attempt begins after this.
const RETRIED_WITHIN: Duration = Duration::from_secs(30);

/// Where a store is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Location {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A bucket.
    Bucket(Bucket),
}

/// A bucket, or the part of one under a prefix.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    cloud: Cloud,
    name: String,
    prefix: Option<Key>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cloud {
    S3,
    Google,
    Azure,
}

impl Location {
    /// Reads a location; the error says what to write instead.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (cloud, rest) = match text.split_once("://") {
            None if text.is_empty() => {
                return Err("name a folder, or s3://, gs:// or az://, a bucket and a prefix".to_owned());
            }
            None => return Ok(Self::Folder(text.into())),
            Some(("file", path)) if path.starts_with('/') && !path.contains('%') => {
                return Ok(Self::Folder(path.into()));
            }
            Some(("file", _)) => return Err("write file:// and an absolute path, or the path alone".to_owned()),
            Some(("s3", rest)) => (Cloud::S3, rest),
            Some(("gs", rest)) => (Cloud::Google, rest),
            Some(("az", rest)) => (Cloud::Azure, rest),
            Some(_) => return Err("not a kind of store; there are folders, file://, s3://, gs:// and az://".to_owned()),
        };
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || !name.chars().all(allowed) {
            return Err("write a bucket's name and a prefix, no more; credentials come from the environment".to_owned());
        }
        let prefix = match prefix.trim_end_matches('/') {
            "" => None,
            prefix => Some(Key::parse(prefix).map_err(|error: StoreError| error.to_string())?),
        };
        Ok(Self::Bucket(Bucket { cloud, name: name.to_owned(), prefix }))
    }
}

impl Bucket {
    /// Opens it with what the environment says.
    pub(super) fn objects(&self) -> Result<Arc<dyn ObjectStore>, object_store::Error> {
        let (name, retry) = (&self.name, retry());
        let objects: Arc<dyn ObjectStore> = match self.cloud {
            Cloud::S3 => return self.s3(AmazonS3Builder::from_env()),
            Cloud::Google => {
                Arc::new(GoogleCloudStorageBuilder::from_env().with_bucket_name(name).with_retry(retry).build()?)
            }
            Cloud::Azure => {
                Arc::new(MicrosoftAzureBuilder::from_env().with_container_name(name).with_retry(retry).build()?)
            }
        };
        Ok(self.prefixed(objects))
    }

    /// Opens a bucket of S3 with the rest of what has to be known of it.
    pub(super) fn s3(&self, builder: AmazonS3Builder) -> Result<Arc<dyn ObjectStore>, object_store::Error> {
        let mut builder = builder.with_bucket_name(&self.name).with_retry(retry());
        if builder.get_config_value(&AmazonS3ConfigKey::Checksum).is_none() {
            // The server then hashes each part itself, and refuses what arrived as something else.
            builder = builder.with_checksum_algorithm(Checksum::SHA256);
        }
        Ok(self.prefixed(Arc::new(builder.build()?)))
    }

    fn prefixed(&self, objects: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
        match &self.prefix {
            None => objects,
            Some(prefix) => Arc::new(PrefixStore::new(objects, Path::from(prefix.as_str()))),
        }
    }
}

fn retry() -> RetryConfig {
    RetryConfig { backoff: BackoffConfig::default(), max_retries: RETRIES, retry_timeout: RETRIED_WITHIN }
}

/// A location as an error may show it.
pub(super) fn shown(location: &str) -> String {
    match location.split_once("://") {
        Some((scheme, rest)) if rest.contains(['@', '?', ':']) => format!("{scheme}://…"),
        _ => location.escape_debug().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Bucket, Cloud, Key, Location, shown};

    #[test]
    fn folders_and_buckets_are_told_apart() {
        let bucket = |cloud, prefix: Option<&str>| {
            let prefix = prefix.map(|prefix| Key::parse(prefix).unwrap());
            Ok(Location::Bucket(Bucket { cloud, name: "bucket".to_owned(), prefix }))
        };
        let folder = |path: &str| Ok(Location::Folder(path.into()));
        assert_eq!(Location::parse("a folder/of mine"), folder("a folder/of mine"));
        assert_eq!(Location::parse("file:///srv/images"), folder("/srv/images"));
        assert_eq!(Location::parse("s3://bucket"), bucket(Cloud::S3, None));
        assert_eq!(Location::parse("s3://bucket/"), bucket(Cloud::S3, None));
        assert_eq!(Location::parse("gs://bucket/a/b/"), bucket(Cloud::Google, Some("a/b")));
        assert_eq!(Location::parse("az://bucket/a"), bucket(Cloud::Azure, Some("a")));
    }

    #[test]
    fn anything_else_is_refused_and_no_secret_is_shown() {
        let others =
            ["", "ftp://host/a", "file://srv", "file:///a%20b", "s3://", "s3:///a", "s3://bucket/../a", "s3://b?x=1"];
        for text in others {
            assert!(Location::parse(text).is_err(), "{text}");
        }
        assert!(Location::parse("s3://key:secret@bucket").unwrap_err().contains("come from the environment"));
        assert_eq!(shown("s3://key:secret@bucket"), "s3://…");
        assert_eq!(shown("s3://bucket?token=secret"), "s3://…");
        assert_eq!(shown("s3://bucket/a"), "s3://bucket/a");
    }
}
