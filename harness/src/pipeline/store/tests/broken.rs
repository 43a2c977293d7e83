//! Servers that fail, hang, or give out other bytes: an error within a bound, and nothing wrong is accepted.

use std::fs;

use object_store::{
    ClientConfigKey,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
};

use super::{
    super::{Store, StoreError},
    scene::{digest, image},
    server::{Manner, Server},
};

/// Every way to use a store ends in an error.
async fn refused(store: &Store) {
    let (file, digest) = image(10 << 20);
    let error = store.put_image(&file, "golden.qcow2", digest).await.unwrap_err();
    assert!(error.to_string().starts_with("store s3://bucket/a/prefix: cannot look for images/"), "{error}");
    assert!(error.to_string().contains("after 3 retries"), "{error}");
    assert!(store.fetch(digest, "golden.qcow2", &tempfile::tempfile().unwrap()).await.is_err());
    assert!(store.create("papers/a", b"text").await.is_err());
    assert!(store.read("papers/a", 10).await.is_err());
    assert!(store.list("papers").await.is_err());
    assert!(store.delete("papers/a").await.is_err());
    assert!(store.claim("golden", digest).await.is_err());
    assert!(store.rows().await.is_err());
    assert!(store.append("stable", |_, _| Ok::<_, StoreError>(b"text".to_vec())).await.is_err());
    assert!(!store.keeps_the_first().await.is_ok_and(|kept| kept));
}

#[tokio::test]
async fn a_server_that_fails() {
    refused(&Server::start(Manner::Fails).await.store()).await;
}

/// The store on it, with less patience.
fn impatient(server: &Server) -> Store {
    let timeout = AmazonS3ConfigKey::Client(ClientConfigKey::Timeout);
    server.store_with(AmazonS3Builder::new().with_config(timeout, "50ms"))
}

#[tokio::test]
async fn a_server_that_hangs() {
    let server = Server::start(Manner::Hangs).await;
    refused(&impatient(&server)).await;
}

#[tokio::test]
async fn a_server_that_stops_in_the_middle() {
    let server = Server::start(Manner::Stalls).await;
    let digest = digest(b"an image");
    for key in [&format!("images/{}/golden.qcow2", digest.hex()), "channels/stable/00000001.json"] {
        let file = server.folder().join(key);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "an image").unwrap();
    }
    let store = impatient(&server);
    assert!(store.fetch(digest, "golden.qcow2", &tempfile::tempfile().unwrap()).await.is_err());
    let error = store.latest("stable").await.unwrap_err().to_string();
    assert!(error.starts_with("store s3://bucket/a/prefix: cannot read channels/stable/00000001.json; "), "{error}");
}

#[tokio::test]
async fn a_server_that_gives_out_other_bytes() {
    for manner in [Manner::Alters, Manner::Shortens] {
        let server = Server::start(manner).await;
        let store = server.store();
        let (file, digest) = image(10 << 20);
        let error = store.put_image(&file, "golden.qcow2", digest).await.unwrap_err();
        assert!(!matches!(error, StoreError::Missing { .. } | StoreError::Changed { .. }), "{manner:?}: {error}");
        let key = format!("images/{}/golden.qcow2", digest.hex());
        // What lies there is whole or nothing; here it is the server that is not to be trusted.
        let error = store.fetch(digest, "golden.qcow2", &tempfile::tempfile().unwrap()).await.unwrap_err();
        assert!(manner != Manner::Alters || !server.folder().join(key).exists(), "{error}");
        assert!(store.create("papers/a", b"text").await.is_err(), "{manner:?}");
        assert!(store.append("stable", |_, _| Ok::<_, StoreError>(b"text".to_vec())).await.is_err(), "{manner:?}");
        assert!(!store.keeps_the_first().await.is_ok_and(|kept| kept), "{manner:?}");
    }
}

#[tokio::test]
async fn nobody_listens() {
    let server = Server::start(Manner::Keeps).await;
    let store = server.store();
    drop(server);
    let error = store.read("papers/a", 10).await.unwrap_err().to_string();
    assert!(error.contains("after 3 retries") && error.contains("Connection refused"), "{error}");
}
