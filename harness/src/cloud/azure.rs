//! Microsoft Azure: the instance metadata service
//! (<https://learn.microsoft.com/en-us/azure/virtual-machines/instance-metadata-service>) and as much of the fabric as a
//! provisioning agent talks to: the goal state, and the report that the machine is ready. There is no `ovf-env.xml` disc:
//! an agent has to do without where the metadata service has all that it needs.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{Answer, Instance, METADATA, Question, WIRE_SERVER};

/// The asset tag of every chassis there
/// (<https://learn.microsoft.com/en-us/azure/virtual-machines/linux/create-upload-generic>).
const ASSET: &str = "7783-7084-3265-9085-8269-3286-77";
/// The user that a machine is asked to have.
const USER: &str = "azureuser";

pub(super) fn smbios() -> Vec<String> {
    vec![
        "type=1,manufacturer=Microsoft Corporation,product=Virtual Machine,version=Hyper-V UEFI Release v4.1"
            .to_owned(),
        format!("type=3,manufacturer=Microsoft Corporation,asset={ASSET}"),
    ]
}

pub(super) fn answer(instance: &Instance, question: &Question<'_>) -> Answer {
    match question.to {
        METADATA => metadata(instance, question),
        WIRE_SERVER => fabric(instance, question),
        _ => Answer::status(404),
    }
}

fn metadata(instance: &Instance, question: &Question<'_>) -> Answer {
    // It answers nobody who was merely redirected to it.
    if (question.header)("metadata").is_none_or(|value| !value.eq_ignore_ascii_case("true")) {
        return Answer::status(400);
    }
    if question.method != "GET" {
        return Answer::status(405);
    }
    if question.path.trim_end_matches('/') != "/metadata/instance" || !question.query.contains("api-version=") {
        return Answer::status(404);
    }
    let instance = json!({
        "compute": {
            "azEnvironment": "AzurePublicCloud",
            "location": "westeurope",
            "name": instance.hostname,
            "osProfile": {
                "adminUsername": USER,
                "computerName": instance.hostname,
                "disablePasswordAuthentication": "true",
            },
            "osType": "Linux",
            "provider": "Microsoft.Compute",
            "publicKeys": [{ "keyData": instance.key, "path": format!("/home/{USER}/.ssh/authorized_keys") }],
            "resourceGroupName": "kverify",
            "userData": STANDARD.encode(&instance.user_data),
            "vmId": instance.uuid(""),
            "vmSize": "Standard_B2s",
            "zone": "",
        },
        "network": {
            "interface": [{
                "ipv4": {
                    "ipAddress": [{ "privateIpAddress": instance.address.to_string(), "publicIpAddress": "" }],
                    "subnet": [{ "address": "10.0.2.0", "prefix": "24" }],
                },
                "ipv6": { "ipAddress": [] },
                "macAddress": instance.mac.replace(':', "").to_uppercase(),
            }],
        },
    });
    Answer::ok(instance.to_string()).with("content-type", "application/json; charset=utf-8")
}

fn fabric(instance: &Instance, question: &Question<'_>) -> Answer {
    let asks = |what: &str| question.path.trim_end_matches('/') == "/machine" && question.query.contains(what);
    match question.method {
        "GET" if asks("comp=goalstate") => {
            let (container, role) = (instance.uuid("c0"), format!("{}.kverify", instance.uuid("")));
            Answer::ok(format!(
                "<?xml version=\"1.0\" encoding=\"utf-8\"?><GoalState><Version>2012-11-30</Version>\
                 <Incarnation>1</Incarnation><Machine><ExpectedState>Started</ExpectedState></Machine><Container>\
                 <ContainerId>{container}</ContainerId><RoleInstanceList><RoleInstance><InstanceId>{role}</InstanceId>\
                 <State>Started</State><Configuration/></RoleInstance></RoleInstanceList></Container></GoalState>"
            ))
            .with("content-type", "text/xml; charset=utf-8")
        }
        // Ready, or why not: the machine says it, and there is nothing to answer.
        "POST" if asks("comp=health") => Answer::status(200),
        _ => Answer::status(404),
    }
}
