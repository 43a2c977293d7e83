//! Amazon EC2: the instance metadata service, version 2
//! (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html>), and how an instance knows
//! where it is (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/identify_ec2_instances.html>).

use std::collections::BTreeMap;

use serde_json::json;

use super::{Answer, Instance, Question};

/// Tokens begin so; the rest is the run's own.
const TOKEN: &str = "AQAAA";
/// The versions that cloud-init asks for, and the one that always is.
const VERSIONS: [&str; 5] = ["2009-04-04", "2016-09-02", "2018-09-24", "2021-03-23", "latest"];

pub(super) fn smbios(instance: &Instance) -> Vec<String> {
    // Both begin with `ec2`, and are the same.
    let uuid = instance.uuid("ec2");
    vec![
        format!("type=1,manufacturer=Amazon EC2,product=t3.small,uuid={uuid},serial={uuid}"),
        "type=0,vendor=Amazon EC2,version=1.0".to_owned(),
        "type=3,manufacturer=Amazon EC2,asset=Amazon EC2".to_owned(),
    ]
}

pub(super) fn answer(instance: &Instance, question: &Question<'_>) -> Answer {
    let token = format!("{TOKEN}{}==", instance.nonce);
    if question.path == "/latest/api/token" {
        // A token comes by PUT alone, and says for how long.
        return match (question.method, (question.header)("x-aws-ec2-metadata-token-ttl-seconds")) {
            ("PUT", Some(seconds)) if seconds.parse::<u32>().is_ok_and(|seconds| (1..=21_600).contains(&seconds)) => {
                Answer::ok(token).with("x-aws-ec2-metadata-token-ttl-seconds", seconds)
            }
            ("PUT", _) => Answer::status(400),
            _ => Answer::status(405),
        };
    }
    if question.method != "GET" {
        return Answer::status(405);
    }
    if (question.header)("x-aws-ec2-metadata-token") != Some(token) {
        return Answer::status(401);
    }
    let Some((version, rest)) = question.path.trim_start_matches('/').split_once('/') else {
        return Answer::ok(VERSIONS.join("\n"));
    };
    if !VERSIONS.contains(&version) {
        return Answer::status(404);
    }
    match rest.split_once('/').unwrap_or((rest, "")) {
        ("user-data", _) => Answer::ok(&*instance.user_data),
        ("meta-data", path) => browse(&tree(instance), path),
        ("dynamic", path) => {
            browse(&BTreeMap::from([("instance-identity/document".to_owned(), identity(instance))]), path)
        }
        _ => Answer::status(404),
    }
}

/// What says which machine it is; the real one is signed beside it.
fn identity(instance: &Instance) -> String {
    json!({
        "accountId": "123456789012",
        "architecture": "x86_64",
        "availabilityZone": "eu-central-1a",
        "imageId": "ami-0123456789abcdef0",
        "instanceId": instance.id(),
        "instanceType": "t3.small",
        "privateIp": instance.address.to_string(),
        "region": "eu-central-1",
        "version": "2017-09-30",
    })
    .to_string()
}

/// Every value by its path.
fn tree(instance: &Instance) -> BTreeMap<String, String> {
    let card = format!("network/interfaces/macs/{}", instance.mac);
    let address = instance.address.to_string();
    let values = [
        ("ami-id", "ami-0123456789abcdef0".to_owned()),
        ("ami-launch-index", "0".to_owned()),
        ("hostname", instance.hostname.clone()),
        ("instance-id", instance.id()),
        ("instance-type", "t3.small".to_owned()),
        ("local-hostname", instance.hostname.clone()),
        ("local-ipv4", address.clone()),
        ("mac", instance.mac.clone()),
        ("placement/availability-zone", "eu-central-1a".to_owned()),
        ("placement/region", "eu-central-1".to_owned()),
        ("public-keys/0/openssh-key", instance.key.clone()),
        ("reservation-id", "r-0123456789abcdef0".to_owned()),
        ("services/domain", "amazonaws.com".to_owned()),
        ("services/partition", "aws".to_owned()),
    ];
    let of_card = [
        ("device-number", "0"),
        ("interface-id", "eni-0123456789abcdef0"),
        ("local-ipv4s", &address),
        ("mac", &instance.mac),
        ("subnet-ipv4-cidr-block", "10.0.2.0/24"),
    ];
    let of_card = of_card.map(|(name, value)| (format!("{card}/{name}"), value.to_owned()));
    values.map(|(path, value)| (path.to_owned(), value)).into_iter().chain(of_card).collect()
}

/// A value, or what is beneath a path: a name in each line, `/` behind those that have more beneath.
fn browse(tree: &BTreeMap<String, String>, path: &str) -> Answer {
    let path = path.trim_end_matches('/');
    if let Some(value) = tree.get(path) {
        return Answer::ok(&**value);
    }
    let beneath = if path.is_empty() { String::new() } else { format!("{path}/") };
    let rests = tree.keys().filter_map(|key| key.strip_prefix(&beneath));
    let mut names: Vec<_> = rests
        .map(|rest| match rest.split_once('/') {
            // The one listing that is not of names: numbers, each with the name of its key.
            Some((number, _)) if path == "public-keys" => format!("{number}=kverify"),
            Some((name, _)) => format!("{name}/"),
            None => rest.to_owned(),
        })
        .collect();
    names.dedup();
    if names.is_empty() { Answer::status(404) } else { Answer::ok(names.join("\n")) }
}
