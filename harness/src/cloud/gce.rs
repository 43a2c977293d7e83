//! Google Compute Engine: its metadata server (<https://cloud.google.com/compute/docs/metadata/overview>).

use serde_json::json;

use super::{Answer, Instance, Question};

/// The name of the metadata server.
pub(super) const NAME: &str = "metadata.google.internal";
/// What every question has to say, and every answer says.
const FLAVOR: (&str, &str) = ("metadata-flavor", "Google");

pub(super) fn smbios(instance: &Instance) -> Vec<String> {
    let serial = format!("GoogleCloud-{}", instance.nonce.to_uppercase());
    vec![format!("type=1,manufacturer=Google,product=Google Compute Engine,serial={serial}")]
}

pub(super) fn answer(instance: &Instance, question: &Question<'_>) -> Answer {
    if (question.header)(FLAVOR.0).as_deref() != Some(FLAVOR.1) {
        return Answer::status(403);
    }
    if question.method != "GET" {
        // Guest attributes are off, as they are by default.
        return Answer::status(403).with(FLAVOR.0, FLAVOR.1);
    }
    let path = question.path.strip_prefix("/computeMetadata/v1/").unwrap_or_default().trim_end_matches('/');
    let recursive = question.query.to_ascii_lowercase().contains("recursive=true");
    let attributes = json!({
        "ssh-keys": format!("debian:{}", instance.key),
        "user-data": instance.user_data,
    });
    let body = match path {
        "" => "instance/\nproject/".to_owned(),
        "instance/id" => {
            instance.nonce.bytes().fold(0_u64, |id, byte| id.wrapping_mul(31) ^ u64::from(byte)).to_string()
        }
        "instance/hostname" => format!("{}.c.kverify.internal", instance.hostname),
        "instance/zone" => "projects/1234567890/zones/europe-west3-a".to_owned(),
        "instance/machine-type" => "projects/1234567890/machineTypes/e2-small".to_owned(),
        "instance/attributes" if recursive => attributes.to_string(),
        "instance/attributes/user-data" => instance.user_data.clone(),
        "instance/attributes/ssh-keys" => format!("debian:{}", instance.key),
        "project/attributes" if recursive => "{}".to_owned(),
        "project/project-id" => "kverify".to_owned(),
        _ => return Answer::status(404).with(FLAVOR.0, FLAVOR.1),
    };
    let kind = if recursive { "application/json" } else { "application/text" };
    Answer::ok(body).with(FLAVOR.0, FLAVOR.1).with("content-type", kind)
}
