//! Images go in and come out as they are, or not at all.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    process::Command,
    time::{Duration, SystemTime},
};

use super::{
    super::{Store, StoreError},
    scene::{Place, image, names},
};
use crate::{image::Unnamed, pipeline::named::name};

/// More than two parts of a bucket, and no whole number of them.
const BYTES: usize = (17 << 20) + 321;

#[tokio::test]
async fn an_image_comes_out_as_it_went_in() {
    let (file, digest) = image(BYTES);
    for place in Place::each().await {
        let store = place.store();
        let put = store.put_image(&file, "golden.qcow2", digest).await.unwrap();
        assert_eq!(put.key, format!("images/{}/golden.qcow2", digest.hex()));
        assert_eq!((put.bytes, put.already_there), (BYTES as u64, false));
        let folder = tempfile::tempdir().unwrap();
        let fetched = Unnamed::create(folder.path(), "an image", 0).unwrap();
        assert_eq!(place.store().fetch(digest, "golden.qcow2", fetched.file()).await.unwrap(), BYTES as u64);
        name(fetched.file(), &folder.path().join("out")).unwrap();
        let mut whole = vec![0; BYTES];
        file.read_exact_at(&mut whole, 0).unwrap();
        assert!(fs::read(folder.path().join("out")).unwrap() == whole);
    }
}

#[tokio::test]
async fn sha256sum_accepts_the_file_beside_it() {
    let (file, digest) = image(3000);
    for place in Place::each().await {
        let key = place.store().put_image(&file, "golden.qcow2", digest).await.unwrap().key;
        let folder = place.file(&key).parent().unwrap().to_owned();
        let sum = Command::new("sha256sum").arg("golden.qcow2").current_dir(&folder).output().unwrap().stdout;
        assert_eq!(fs::read(folder.join("golden.qcow2.sha256")).unwrap(), sum);
        let check =
            || Command::new("sha256sum").args(["-c", "golden.qcow2.sha256"]).current_dir(&folder).output().unwrap();
        assert_eq!(String::from_utf8(check().stdout).unwrap(), "golden.qcow2: OK\n");
        fs::write(place.file(&key), "other").unwrap();
        assert!(!check().status.success());
    }
}

#[tokio::test]
async fn one_that_is_there_is_read_again_and_not_sent() {
    let (file, digest) = image(BYTES);
    for place in Place::each().await {
        let store = place.store();
        let first = store.put_image(&file, "golden.qcow2", digest).await.unwrap();
        let written = || fs::metadata(place.file(&first.key)).unwrap().modified().unwrap();
        let before = written();
        let second = store.put_image(&file, "golden.qcow2", digest).await.unwrap();
        assert!(second.already_there && second.bytes == BYTES as u64);
        assert_eq!(written(), before);
        File::options().write(true).open(place.file(&first.key)).unwrap().write_all_at(b"!", 9 << 20).unwrap();
        let error = store.put_image(&file, "golden.qcow2", digest).await.unwrap_err();
        assert!(matches!(error, StoreError::Altered { .. }), "{error}");
        assert!(place.file(&first.key).exists(), "what others may have to look at is gone");
        let error = store.fetch(digest, "golden.qcow2", &tempfile::tempfile().unwrap()).await.unwrap_err();
        assert!(matches!(error, StoreError::Altered { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_file_that_changed_since_its_test_is_refused_and_leaves_nothing() {
    let (file, digest) = image(BYTES);
    let (other, _) = image(BYTES - 1);
    for place in Place::each().await {
        let store = place.store();
        let error = store.put_image(&other, "golden.qcow2", digest).await.unwrap_err();
        assert!(matches!(error, StoreError::Changed { want, .. } if want == digest), "{error}");
        assert_eq!(names(place.root()), [""; 0], "{store}");
        // Also where the right one is there already: nobody shall believe that this file is it.
        store.put_image(&file, "golden.qcow2", digest).await.unwrap();
        let error = store.put_image(&other, "golden.qcow2", digest).await.unwrap_err();
        assert!(matches!(error, StoreError::Changed { .. }), "{error}");
    }
}

#[tokio::test]
async fn one_that_is_not_there_is_not_fetched() {
    let (_, digest) = image(10);
    for place in Place::each().await {
        let error = place.store().fetch(digest, "golden.qcow2", &tempfile::tempfile().unwrap()).await.unwrap_err();
        assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_full_disk_and_an_unreadable_file_are_told() {
    let (file, digest) = image(3 << 20);
    let full = File::options().write(true).open("/dev/full").unwrap();
    for place in Place::each().await {
        let store = place.store();
        store.put_image(&file, "golden.qcow2", digest).await.unwrap();
        let error = store.fetch(digest, "golden.qcow2", &full).await.unwrap_err();
        assert!(matches!(error, StoreError::Unwritable { .. }), "{error}");
        let folder = File::open("/").unwrap();
        let error = store.put_image(&folder, "other.qcow2", digest).await.unwrap_err();
        assert!(matches!(error, StoreError::Unreadable { .. }), "{error}");
        assert!(!place.file(&format!("images/{}/other.qcow2", digest.hex())).exists());
    }
}

#[tokio::test]
async fn a_folder_that_takes_nothing_is_named() {
    let (file, digest) = image(10);
    let error = Store::open("/proc/images").unwrap_err().to_string();
    assert!(error.starts_with("store /proc/images: no folder can be made there; choose another place: "), "{error}");
    for location in ["/proc/self", "/sys/kernel"] {
        let store = Store::open(location).unwrap();
        let error = store.put_image(&file, "golden.qcow2", digest).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("store {location}: cannot write images/{}", digest.hex())), "{error}");
        let error = store.create("channels/stable/1", b"text").await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("store {location}: cannot create channels/stable/1; ")), "{error}");
        assert!(!store.keeps_the_first().await.is_ok_and(|kept| kept));
    }
}

#[tokio::test]
async fn what_a_killed_run_left_goes_and_what_is_being_written_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (file, digest) = image(10);
    let images = folder.path().join("images").join("f".repeat(64));
    fs::create_dir_all(&images).unwrap();
    let old = File::create(images.join("old.qcow2#1")).unwrap();
    old.set_modified(SystemTime::now() - Duration::from_hours(2)).unwrap();
    File::create(images.join("new.qcow2#1")).unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).unwrap();
    store.put_image(&file, "golden.qcow2", digest).await.unwrap();
    assert_eq!(names(&images), ["new.qcow2#1"]);
}
