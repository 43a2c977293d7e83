//! Where an object is within its store: segments parted by `/`, the same in a folder as in every kind of bucket.
//!
//! Keys are made of what others wrote (names of images and channels), so each is checked before anything is done with it.

use std::fmt;

use object_store::path::Path;

use super::StoreError;
use crate::image::Digest;

/// The longest segment: a file's name has 255 bytes at most, and one that is being written has a longer one.
const LONGEST_SEGMENT: usize = 200;
/// The longest key: S3 takes 1024 bytes with the prefix.
const LONGEST: usize = 800;
/// How much of a wrong key an error shows, in characters.
const SHOWN: usize = 80;

/// A key that every store takes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(String);

impl Key {
    /// A key of one or more segments.
    pub(super) fn parse(text: &str) -> Result<Self, StoreError> {
        let wrong = |why: String| StoreError::Key { key: text.escape_debug().take(SHOWN).collect(), why };
        if text.len() > LONGEST {
            return Err(wrong(format!("{} bytes, over the limit of {LONGEST}", text.len())));
        }
        for segment in text.split('/') {
            if segment.len() > LONGEST_SEGMENT {
                return Err(wrong(format!("a part has {} bytes, over the limit of {LONGEST_SEGMENT}", segment.len())));
            }
            if !segment.starts_with(|c: char| c.is_ascii_alphanumeric()) {
                return Err(wrong("each part has to begin with a letter or a digit".to_owned()));
            }
            if segment.contains("..") {
                return Err(wrong("two dots may not follow each other".to_owned()));
            }
            let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if let Some(other) = segment.chars().find(|c| !allowed(*c)) {
                return Err(wrong(format!("`{}` is not among A-Z a-z 0-9 . _ -", other.escape_debug())));
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The object `name`, one segment, in `folder`.
    pub(super) fn within(folder: &str, name: &str) -> Result<Self, StoreError> {
        if name.contains('/') {
            let key = name.escape_debug().take(SHOWN).collect();
            return Err(StoreError::Key { key, why: "a name has no `/`".to_owned() });
        }
        Self::parse(name)?;
        Self::parse(&format!("{folder}/{name}"))
    }

    /// The image of this digest, under the name that its file gets.
    pub(super) fn image(digest: Digest, name: &str) -> Result<Self, StoreError> {
        Self::not_a_sum(name)?;
        Self::within(&format!("images/{}", digest.hex()), name)
    }

    fn not_a_sum(name: &str) -> Result<(), StoreError> {
        if name.ends_with(SUM) {
            let why = format!("`{SUM}` ends the name of the file beside an image");
            return Err(StoreError::Key { key: name.escape_debug().take(SHOWN).collect(), why });
        }
        Ok(())
    }

    /// A file of this digest that was made of the image `of`, under its own name: another export may have the same.
    pub(super) fn export(of: Digest, digest: Digest, name: &str) -> Result<Self, StoreError> {
        Self::not_a_sum(name)?;
        Self::within(&format!("images/{}/exports/{}", of.hex(), digest.hex()), name)
    }

    /// The file beside an image that `sha256sum -c` reads.
    pub(super) fn sum(&self) -> Self {
        Self(format!("{}{SUM}", self.0))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn path(&self) -> Path {
        Path::from(self.0.as_str())
    }
}

/// How the name of the file ends that holds an image's digest.
const SUM: &str = ".sha256";

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn a_key_is_what_every_store_takes() {
        for key in ["a", "images/0a/golden-debian_13.v2.qcow2", "A-Z/0.9", &"a".repeat(200)] {
            assert_eq!(Key::parse(key).unwrap().path().as_ref(), key);
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        let long = "a".repeat(201);
        let deep = "abcdefgh/".repeat(100);
        let refused = [
            ("", "has to begin with a letter"),
            ("/a", "has to begin with a letter"),
            ("a/", "has to begin with a letter"),
            ("a//b", "has to begin with a letter"),
            ("a/../b", "has to begin with a letter"),
            ("-rf", "has to begin with a letter"),
            (".hidden", "has to begin with a letter"),
            ("a..b", "two dots"),
            ("a b", "` ` is not among"),
            ("a\nb", "`\\n` is not among"),
            ("a#1", "`#` is not among"),
            ("größe", "`ö` is not among"),
            (&long, "201 bytes, over the limit of 200"),
            (&deep, "900 bytes, over the limit of 800"),
        ];
        for (key, why) in refused {
            let error = Key::parse(key).unwrap_err().to_string();
            assert!(error.contains(why), "{key:?}: {error}");
        }
        assert!(Key::within("names", "a/b").unwrap_err().to_string().contains("a name has no `/`"));
    }

    #[test]
    fn an_image_cannot_take_the_name_of_the_file_beside_another() {
        let digest = format!("sha256:{}", "0".repeat(64)).parse().unwrap();
        assert!(Key::image(digest, "a.qcow2.sha256").is_err());
        let key = Key::image(digest, "a.qcow2").unwrap();
        assert_eq!(key.sum().as_str(), format!("images/{}/a.qcow2.sha256", "0".repeat(64)));
    }
}
