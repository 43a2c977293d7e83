//! Small objects and names: created once, bounded, and refused where they are wrong.

use std::fs;

use super::{
    super::{Creation, Store, StoreError},
    scene::{Place, digest},
    server::{Manner, Server},
};

#[tokio::test]
async fn what_was_created_first_stays() {
    for place in Place::each().await {
        let store = place.store();
        assert_eq!(store.read("papers/a.json", 10).await.unwrap(), None);
        assert_eq!(store.create("papers/a.json", b"first").await.unwrap(), Creation::Created);
        let second = place.store().create("papers/a.json", b"second").await.unwrap();
        assert_eq!(second, Creation::AlreadyThere(b"first".to_vec()));
        assert_eq!(store.read("papers/a.json", 5).await.unwrap().unwrap(), b"first");
        store.create("papers/b/c.json", b"").await.unwrap();
        store.create("others/d.json", b"text").await.unwrap();
        assert_eq!(store.list("papers").await.unwrap(), ["papers/a.json", "papers/b/c.json"]);
        assert_eq!(store.list("nobody").await.unwrap(), [""; 0]);
        for _ in 0..2 {
            store.delete("papers/a.json").await.unwrap();
            assert_eq!(store.list("papers").await.unwrap(), ["papers/b/c.json"]);
        }
    }
}

#[tokio::test]
async fn nothing_larger_than_its_limit_is_read_or_written() {
    for place in Place::each().await {
        let store = place.store();
        store.create("papers/a", &[7; 11]).await.unwrap();
        let error = store.read("papers/a", 10).await.unwrap_err().to_string();
        assert_eq!(error, format!("store {store}: papers/a has 11 bytes, over the limit of 10; look at who wrote it"));
        let error = store.create("papers/b", &vec![0; (16 << 20) + 1]).await.unwrap_err();
        assert!(matches!(error, StoreError::TooLarge { limit: 16_777_216, .. }), "{error}");
        assert_eq!(store.list("papers").await.unwrap(), ["papers/a"]);
    }
}

#[tokio::test]
async fn a_wrong_key_is_refused_everywhere() {
    let (file, image) = super::scene::image(10);
    for place in Place::each().await {
        let store = place.store();
        for key in ["../outside", "a/../../b", "", "a b", "a#1"] {
            assert!(matches!(store.create(key, b"text").await, Err(StoreError::Key { .. })), "{key}");
            assert!(matches!(store.read(key, 10).await, Err(StoreError::Key { .. })), "{key}");
            assert!(matches!(store.list(key).await, Err(StoreError::Key { .. })), "{key}");
            assert!(matches!(store.delete(key).await, Err(StoreError::Key { .. })), "{key}");
        }
        for name in ["../outside", "a/b", "", "a b", "a#1"] {
            assert!(matches!(store.claim(name, image).await, Err(StoreError::Key { .. })), "{name}");
            assert!(matches!(store.put_image(&file, name, image).await, Err(StoreError::Key { .. })), "{name}");
            assert!(matches!(store.fetch(image, name, &file).await, Err(StoreError::Key { .. })), "{name}");
            assert!(matches!(store.latest(name).await, Err(StoreError::Key { .. })), "{name}");
        }
    }
}

#[tokio::test]
async fn a_name_stands_for_one_image() {
    let (one, two) = (digest(b"one"), digest(b"two"));
    for place in Place::each().await {
        let store = place.store();
        assert_eq!(store.named("golden").await.unwrap(), None);
        for _ in 0..2 {
            store.claim("golden", one).await.unwrap();
        }
        assert_eq!(store.named("golden").await.unwrap(), Some(one));
        let error = store.claim("golden", two).await.unwrap_err().to_string();
        let wanted = format!("the name golden stands for {one}, so not for {two}; choose another name");
        assert_eq!(error, format!("store {store}: {wanted}"));
        fs::write(place.file("names/golden"), "something\n").unwrap();
        assert!(matches!(store.named("golden").await, Err(StoreError::Altered { .. })));
        assert!(matches!(store.claim("golden", one).await, Err(StoreError::Altered { .. })));
    }
}

#[tokio::test]
async fn whether_the_promise_is_kept_is_found_out() {
    for place in Place::each().await {
        let store = place.store();
        assert!(store.keeps_the_first().await.unwrap(), "{store}");
        assert_eq!(store.list("probes").await.unwrap(), [""; 0]);
    }
    let server = Server::start(Manner::Forgets).await;
    assert!(!server.store().keeps_the_first().await.unwrap());
    assert_eq!(server.store().list("probes").await.unwrap(), [""; 0]);
}

#[test]
fn a_location_that_is_none_is_refused_with_the_next_step() {
    let error = Store::open("s3://key:secret@bucket").unwrap_err().to_string();
    let why = "write a bucket's name and a prefix, no more; credentials come from the environment";
    assert_eq!(error, format!("store s3://…: {why}"));
}
