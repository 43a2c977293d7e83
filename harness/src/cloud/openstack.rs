//! `OpenStack`: its metadata service and the documents that a config drive holds as well
//! (<https://docs.openstack.org/nova/latest/user/metadata.html>).

use serde_json::{Value, json};

use super::{Answer, Instance, Question};

/// The versions that there are.
const VERSIONS: [&str; 4] = ["2015-10-15", "2016-06-30", "2018-08-27", "latest"];

pub(super) fn smbios() -> Vec<String> {
    vec!["type=1,manufacturer=OpenStack Foundation,product=OpenStack Nova,version=29.0.0".to_owned()]
}

pub(super) fn answer(instance: &Instance, question: &Question<'_>) -> Answer {
    if question.method != "GET" {
        return Answer::status(405);
    }
    let Some(path) = question.path.strip_prefix("/openstack") else { return Answer::status(404) };
    match path.trim_matches('/').split_once('/') {
        None if path.trim_matches('/').is_empty() => Answer::ok(VERSIONS.join("\n")),
        Some((version, name)) if VERSIONS.contains(&version) => match document(instance, name) {
            Some(body) => Answer::ok(body),
            None => Answer::status(404),
        },
        _ => Answer::status(404),
    }
}

/// The documents of one version, by name.
pub(super) fn document(instance: &Instance, name: &str) -> Option<String> {
    let value = match name {
        "meta_data.json" => meta_data(instance),
        "network_data.json" => network_data(instance),
        "vendor_data.json" | "vendor_data2.json" => json!({}),
        "user_data" => return Some(instance.user_data.clone()),
        _ => return None,
    };
    Some(value.to_string())
}

fn meta_data(instance: &Instance) -> Value {
    json!({
        "uuid": instance.uuid(""),
        "name": instance.hostname,
        "hostname": instance.hostname,
        "launch_index": 0,
        "availability_zone": "nova",
        "project_id": "0123456789abcdef0123456789abcdef",
        "public_keys": { "kverify": instance.key },
        "keys": [{ "name": "kverify", "type": "ssh", "data": instance.key }],
        "devices": [],
        "meta": {},
    })
}

fn network_data(instance: &Instance) -> Value {
    json!({
        "links": [{ "id": "tap0", "type": "ovs", "ethernet_mac_address": instance.mac, "mtu": 1500, "vif_id": "vif0" }],
        "networks": [{ "id": "network0", "type": "ipv4_dhcp", "link": "tap0", "network_id": "network0" }],
        "services": [],
    })
}
