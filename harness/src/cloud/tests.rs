//! What each service answers, and to whom it does not.

use std::net::Ipv4Addr;

use kverify_checks::scenarios::Cloud;
use serde_json::Value;

use super::{Answer, METADATA, Question, WIRE_SERVER, instance};

fn ask(cloud: Cloud, to: Ipv4Addr, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let header = |name: &str| headers.iter().find(|(its, _)| *its == name).map(|(_, value)| (*value).to_owned());
    instance(cloud).answer(&Question { to, method, path, query, header: &header })
}

#[test]
fn ec2_gives_a_token_to_put_alone_and_nothing_without_one() {
    let ask = |method: &str, path: &str, headers: &[(&str, &str)]| ask(Cloud::Ec2, METADATA, method, path, headers);
    assert_eq!(ask("GET", "/latest/api/token", &[]).status, 405);
    assert_eq!(ask("PUT", "/latest/api/token", &[]).status, 400, "for how long?");
    let token = ask("PUT", "/latest/api/token", &[("x-aws-ec2-metadata-token-ttl-seconds", "21600")]);
    assert_eq!(token.status, 200);
    assert_eq!(ask("GET", "/latest/meta-data/", &[]).status, 401);
    assert_eq!(ask("GET", "/latest/meta-data/", &[("x-aws-ec2-metadata-token", "another")]).status, 401);
    let get = |path: &str| ask("GET", path, &[("x-aws-ec2-metadata-token", &token.body)]);
    assert_eq!(get("/2021-03-23/meta-data/instance-id").body, "i-0123456789abcdef0");
    let listing = get("/2021-03-23/meta-data/").body;
    assert!(listing.lines().any(|line| line == "public-keys/") && listing.lines().any(|line| line == "hostname"));
    assert_eq!(get("/latest/meta-data/public-keys/").body, "0=kverify");
    assert_eq!(get("/latest/meta-data/public-keys/0/").body, "openssh-key");
    assert_eq!(get("/latest/meta-data/network/interfaces/macs/").body, "52:54:00:12:34:56/");
    assert_eq!(get("/latest/dynamic/instance-identity").body, "document");
    assert!(get("/latest/dynamic/instance-identity/document").body.contains("i-0123456789abcdef0"));
    assert_eq!(get("/latest/user-data").body, "#cloud-config\n{}\n");
    assert_eq!(get("/latest/meta-data/nothing").status, 404);
    assert_eq!(get("/1999-01-01/meta-data/").status, 404);
}

#[test]
fn ec2_is_known_by_a_uuid_and_the_same_serial() {
    let all = instance(Cloud::Ec2).smbios().join(" ");
    assert!(
        all.contains("uuid=ec234567-89ab-cdef-0123-456789abcdef,serial=ec234567-89ab-cdef-0123-456789abcdef"),
        "{all}"
    );
}

#[test]
fn gce_wants_its_flavor_and_says_it() {
    let path = "/computeMetadata/v1/instance/attributes/?recursive=True";
    assert_eq!(ask(Cloud::Gce, METADATA, "GET", path, &[]).status, 403);
    let answer = ask(Cloud::Gce, METADATA, "GET", path, &[("metadata-flavor", "Google")]);
    assert!(answer.headers.contains(&("metadata-flavor", "Google".to_owned())));
    let attributes: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(attributes["ssh-keys"], "debian:ssh-ed25519 AAAA kverify");
    assert_eq!(instance(Cloud::Gce).address_of("metadata.google.internal"), Some(METADATA));
    assert_eq!(instance(Cloud::Ec2).address_of("metadata.google.internal"), None);
}

#[test]
fn azure_has_a_metadata_service_and_a_fabric() {
    let path = "/metadata/instance?api-version=2021-08-01&extended=true";
    assert_eq!(ask(Cloud::Azure, METADATA, "GET", path, &[]).status, 400);
    let answer = ask(Cloud::Azure, METADATA, "GET", path, &[("metadata", "True")]);
    let said: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(said["compute"]["osProfile"]["computerName"], "kverify-01234567");
    assert_eq!(said["network"]["interface"][0]["macAddress"], "525400123456");
    let goal = ask(Cloud::Azure, WIRE_SERVER, "GET", "/machine/?comp=goalstate", &[]);
    assert!(goal.body.contains("<Incarnation>1</Incarnation>"));
    assert_eq!(ask(Cloud::Azure, WIRE_SERVER, "POST", "/machine?comp=health", &[]).status, 200);
    assert_eq!(ask(Cloud::Azure, METADATA, "GET", "/machine/?comp=goalstate", &[("metadata", "true")]).status, 404);
}

#[test]
fn openstack_serves_its_documents_and_a_config_drive_holds_them() {
    let get = |path: &str| ask(Cloud::OpenStack, METADATA, "GET", path, &[]);
    assert!(get("/openstack").body.lines().any(|version| version == "latest"));
    let said: Value = serde_json::from_str(&get("/openstack/2018-08-27/meta_data.json").body).unwrap();
    assert_eq!(said["hostname"], "kverify-01234567");
    assert_eq!(get("/openstack/latest/user_data").body, "#cloud-config\n{}\n");
    assert_eq!(get("/openstack/1999-01-01/meta_data.json").status, 404);
    let volumes = instance(Cloud::ConfigDrive).volumes().unwrap();
    let system = fatfs::FileSystem::new(std::io::Cursor::new(volumes[0].clone()), fatfs::FsOptions::new()).unwrap();
    assert_eq!(system.volume_label(), "CONFIG-2");
    assert!(system.root_dir().open_file("openstack/latest/meta_data.json").is_ok());
}

#[test]
fn only_what_has_a_service_serves() {
    let serves = |cloud, address| instance(cloud).serves(address, 80);
    assert!(serves(Cloud::Ec2, METADATA) && serves(Cloud::Azure, WIRE_SERVER));
    assert!(!serves(Cloud::Ec2, WIRE_SERVER) && !serves(Cloud::NoCloud, METADATA));
    assert!(!instance(Cloud::Ec2).serves(METADATA, 443));
}
