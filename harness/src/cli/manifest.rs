//! `kverify manifest`: what Packer says that it built, and what kverify found out about it, in one file.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{given, said::Said, whole::write_whole};
use crate::{
    image::{Digest, Image},
    report::{REPORT, Report},
};

/// The largest manifest, in bytes; Packer adds to it with each run.
const LARGEST: u64 = 16 << 20;

/// Options of `kverify manifest`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file of Packer's `manifest` post-processor.
    #[arg(long, value_name = "FILE")]
    packer: PathBuf,
    /// The folder of a report: its verdict is written into the manifest, as `custom_data` of the build that has the image, and
    /// is the exit status.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
}

/// Packer's manifest. What is not named here stays as it is.
#[derive(Deserialize, Serialize)]
struct Manifest {
    builds: Vec<Build>,
    last_run_uuid: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize, Serialize)]
struct Build {
    files: Option<Vec<Artifact>>,
    packer_run_uuid: String,
    custom_data: Option<Map<String, Value>>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize, Serialize)]
struct Artifact {
    name: String,
    size: u64,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Lists the images of Packer's last run, or writes down what was found of one.
pub(crate) fn said(args: &Args) -> anyhow::Result<Said> {
    let path = &args.packer;
    let text = given::text(path, &path.display().to_string(), "manifest", LARGEST)?;
    let mut manifest: Manifest =
        serde_json::from_str(&text).with_context(|| format!("{} is no manifest of Packer", path.display()))?;
    let last = manifest.last_run_uuid.clone();
    let mut builds: Vec<_> = manifest.builds.iter_mut().filter(|build| build.packer_run_uuid == last).collect();
    let files = |build: &Build| -> anyhow::Result<Vec<PathBuf>> {
        build.files.iter().flatten().map(|file| there(file, path)).collect()
    };
    let Some(folder) = &args.report else {
        let mut lines = String::new();
        for build in builds {
            // A firmware's variables, say, are no image.
            for file in files(build)?.iter().filter(|file| Image::open(file).is_ok()) {
                let _ = writeln!(lines, "{}", file.display());
            }
        }
        return if lines.is_empty() {
            bail!("{}: its last run left no image", path.display())
        } else {
            Ok(Said::well(lines))
        };
    };
    let report: Report =
        serde_json::from_slice(&fs::read(folder.join(REPORT)).with_context(|| folder.display().to_string())?)
            .with_context(|| folder.join(REPORT).display().to_string())?;
    for build in &mut builds {
        for file in files(build)? {
            let digest = Digest::of_path(&file);
            let digest = digest.with_context(|| file.display().to_string())?.to_string();
            if digest == report.subject.digest {
                let data = build.custom_data.get_or_insert_default();
                for (key, value) in [("verdict", report.verdict.to_string()), ("digest", digest)] {
                    data.insert(format!("kverify.{key}"), value.into());
                }
                let said = format!("{}: {} is {}\n", path.display(), file.display(), report.verdict);
                write_whole(path, &serde_json::to_vec_pretty(&manifest)?)?;
                return Ok(Said { text: said, code: report.verdict.exit_code() });
            }
        }
    }
    bail!(
        "{}: no file of its last run is {}, which the report is of; verify that one",
        path.display(),
        report.subject.digest
    )
}

/// Where a file of the manifest is: named from where Packer ran, which may be beside the manifest.
fn there(file: &Artifact, manifest: &Path) -> anyhow::Result<PathBuf> {
    let beside = manifest.parent().unwrap_or(Path::new("")).join(&file.name);
    let found = [PathBuf::from(&file.name), beside].into_iter().filter_map(|path| {
        let size = fs::metadata(&path).ok()?.len();
        Some((path, size))
    });
    let found: Vec<_> = found.collect();
    if let Some((path, _)) = found.iter().find(|(_, size)| *size == file.size) {
        return Ok(path.clone());
    }
    match found.first() {
        None => bail!("{}: {} is not there", manifest.display(), file.name),
        Some((path, size)) => bail!(
            "{}: {} has {size} bytes, and Packer left {}; it was written since, so this is not what was built",
            manifest.display(),
            path.display(),
            file.size
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use serde_json::{Value, json};

    use super::{Args, said};
    use crate::{
        image::Digest,
        report::{REPORT, sample_refuted, sample_verified},
    };

    /// A blank disk.
    static IMAGE: [u8; 1 << 20] = [0; 1 << 20];

    /// As Packer 1.6.6 writes it after two runs.
    fn manifest(folder: &Path) -> Value {
        fs::write(folder.join("new.qcow2"), IMAGE).unwrap();
        let build = |file: &str, size: u64, run: &str, data: Value| {
            json!({"name": "layer", "builder_type": "qemu", "build_time": 1_700_000_000, "files": [{"name": file, "size": size}],
                "artifact_id": "VM", "packer_run_uuid": run, "custom_data": data})
        };
        json!({"builds": [build("old.qcow2", 3, "a", Value::Null), build("new.qcow2", 1 << 20, "b", json!({"by": "us"}))],
            "last_run_uuid": "b"})
    }

    fn call(folder: &Path, manifest: &Value, report: bool) -> Result<(String, u8), String> {
        let path = folder.join("manifest.json");
        fs::write(&path, serde_json::to_vec(manifest).unwrap()).unwrap();
        let said = said(&Args { packer: path, report: report.then(|| folder.join("report")) });
        said.map(|said| (said.text, said.code)).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn the_images_of_the_last_run_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut manifest = manifest(folder.path());
        let new = folder.path().join("new.qcow2");
        assert_eq!(call(folder.path(), &manifest, false).unwrap(), (format!("{}\n", new.display()), 0));
        fs::write(&new, "image").unwrap();
        let why = call(folder.path(), &manifest, false).unwrap_err();
        assert!(why.contains("has 5 bytes, and Packer left 1048576"), "{why}");
        fs::remove_file(&new).unwrap();
        assert!(call(folder.path(), &manifest, false).unwrap_err().ends_with("new.qcow2 is not there"));
        manifest["last_run_uuid"] = "c".into();
        assert!(call(folder.path(), &manifest, false).unwrap_err().ends_with("its last run left no image"));
        assert!(call(folder.path(), &json!({"builds": 3}), false).unwrap_err().contains("is no manifest of Packer"));
    }

    #[test]
    fn a_verdict_stands_with_the_image_that_it_is_of() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = manifest(folder.path());
        fs::create_dir(folder.path().join("report")).unwrap();
        for (mut report, code) in [(sample_verified(), 0), (sample_refuted(), 1)] {
            report.subject.digest = Digest::of(&IMAGE).to_string();
            fs::write(folder.path().join("report").join(REPORT), serde_json::to_vec(&report).unwrap()).unwrap();
            let (text, exit) = call(folder.path(), &manifest, true).unwrap();
            assert!(exit == code && text.contains("new.qcow2 is "), "{text}");
            let written: Value =
                serde_json::from_slice(&fs::read(folder.path().join("manifest.json")).unwrap()).unwrap();
            assert_eq!(written["builds"][0], manifest["builds"][0]);
            let data = &written["builds"][1]["custom_data"];
            assert_eq!(data["kverify.verdict"], report.verdict.to_string());
            assert_eq!(data["kverify.digest"], report.subject.digest);
            assert_eq!((&data["by"], &written["builds"][1]["artifact_id"]), (&json!("us"), &json!("VM")));
        }
        fs::write(folder.path().join("new.qcow2"), vec![1; 1 << 20]).unwrap();
        let why = call(folder.path(), &manifest, true).unwrap_err();
        assert!(why.contains("no file of its last run is sha256:"), "{why}");
    }
}
