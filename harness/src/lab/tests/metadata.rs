//! A cloud's metadata service, and what may become of it.

use std::{net::SocketAddrV4, sync::Arc};

use kverify_checks::{
    scenarios::Cloud,
    step::{MetadataService, Network},
};
use smoltcp::socket::tcp::State;

use super::{Bench, client::Client};
use crate::cloud::{METADATA, instance};

const SERVICE: SocketAddrV4 = SocketAddrV4::new(METADATA, 80);
const QUESTION: &[u8] = b"GET /latest/meta-data/instance-id HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n";

/// What a guest on EC2 hears to a question, where it has come as far as to ask.
async fn heard(metadata: MetadataService) -> Option<String> {
    let mut bench = Bench::new(Some(Arc::new(instance(Cloud::Ec2))));
    bench.gateway.network = Network { metadata, ..Network::default() };
    let mut client = Client::new();
    let one = client.open(SERVICE);
    client.run(&mut bench).await;
    if client.socket(one).state() != State::Established {
        return None;
    }
    client.socket(one).send_slice(QUESTION).unwrap();
    for _ in 0..5 {
        client.run(&mut bench).await;
    }
    Some(String::from_utf8(client.heard(one)).unwrap())
}

#[tokio::test]
async fn a_service_is_what_it_was_made() {
    let well = heard(MetadataService::Well).await.unwrap();
    // It hands out nothing to whoever has no token (IMDSv2).
    assert!(well.starts_with("HTTP/1.1 401"), "{well}");
    let wrong = heard(MetadataService::Wrong).await.unwrap();
    assert!(wrong.starts_with("HTTP/1.1 200") && wrong.contains("<!DOCTYPE html>"), "{wrong}");
    assert_eq!(heard(MetadataService::Silent).await, None);
}
