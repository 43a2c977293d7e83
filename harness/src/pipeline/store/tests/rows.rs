//! Rows: each number once, none missing, however many write at once.

use std::{collections::BTreeSet, fs};

use tokio::task::JoinSet;

use super::{super::StoreError, scene::Place};

#[tokio::test]
async fn records_follow_each_other() {
    for place in Place::each().await {
        let store = place.store();
        assert_eq!(store.rows().await.unwrap(), [""; 0]);
        assert_eq!(store.latest("stable").await.unwrap(), None);
        for wanted in 1..=3_u64 {
            let (number, bytes) = store
                .append("stable", |number, latest| {
                    let latest = String::from_utf8_lossy(latest.unwrap_or(b"nothing")).into_owned();
                    Ok::<_, StoreError>(format!("{number} follows {latest}").into_bytes())
                })
                .await
                .unwrap();
            assert_eq!((number, store.latest("stable").await.unwrap()), (wanted, Some((wanted, bytes))));
        }
        store.append("edge", |_, _| Ok::<_, StoreError>(b"other".to_vec())).await.unwrap();
        let whole = ["1 follows nothing", "2 follows 1 follows nothing", "3 follows 2 follows 1 follows nothing"];
        assert_eq!(store.records("stable").await.unwrap(), whole.map(|text| text.as_bytes().to_vec()));
        assert_eq!(store.rows().await.unwrap(), ["edge", "stable"]);
        assert!(place.file("channels/stable/00000003.json").exists());
    }
}

#[tokio::test]
async fn what_the_maker_says_ends_it_and_nothing_is_written() {
    #[derive(Debug)]
    struct Refused;
    impl From<StoreError> for Refused {
        fn from(error: StoreError) -> Self {
            panic!("{error}");
        }
    }
    for place in Place::each().await {
        let Err(Refused) = place.store().append("stable", |_, _| Err(Refused)).await else { panic!("written") };
        assert_eq!(place.store().rows().await.unwrap(), [""; 0]);
    }
}

#[tokio::test]
async fn a_missing_record_is_named_and_closes_the_row() {
    for place in Place::each().await {
        let store = place.store();
        for _ in 0..5 {
            store.append("stable", |number, _| Ok::<_, StoreError>(number.to_string().into_bytes())).await.unwrap();
        }
        fs::remove_file(place.file("channels/stable/00000003.json")).unwrap();
        let text = format!(
            "store {store}: record 3 of row stable is missing, and 5 is there; records are never removed, so somebody did: \
             restore it before the row is used"
        );
        assert_eq!(store.records("stable").await.unwrap_err().to_string(), text);
        assert_eq!(store.latest("stable").await.unwrap_err().to_string(), text);
        let appended = store.append("stable", |_, _| Ok::<_, StoreError>(b"6".to_vec())).await;
        assert_eq!(appended.unwrap_err().to_string(), text);
        assert!(!place.file("channels/stable/00000006.json").exists());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_at_once_write_fifty_records() {
    for place in Place::each().await {
        let mut writing = JoinSet::new();
        for who in 0..50 {
            let store = place.store();
            writing.spawn(async move {
                let made = |number, _: Option<&[u8]>| Ok::<_, StoreError>(format!("{number} by {who}").into_bytes());
                let (number, bytes) = store.append("stable", made).await.unwrap();
                assert_eq!(bytes, format!("{number} by {who}").into_bytes());
                (number, bytes)
            });
        }
        let written = writing.join_all().await;
        let numbers: BTreeSet<_> = written.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, (1..=50).collect(), "{} at {}", written.len(), place.store());
        let records = place.store().records("stable").await.unwrap();
        assert_eq!(records.len(), 50);
        for (number, bytes) in written {
            assert_eq!(records[usize::try_from(number).unwrap() - 1], bytes, "{number}");
        }
    }
}
