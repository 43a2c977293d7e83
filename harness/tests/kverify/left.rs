//! What a run leaves behind: read as other programs read it, and found sound before a test looks at any of it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use boon::{Compiler, Schemas};
use serde_json::Value;

use crate::place::Place;

/// The folder of a run's report.
pub(crate) struct Left {
    folder: PathBuf,
    /// `report.json`.
    pub(crate) report: Value,
}

impl Left {
    /// What the run on `image` left under its default name: whole, of the shape that is promised, and harmless.
    #[track_caller]
    pub(crate) fn by(place: &Place, image: &str) -> Self {
        assert_eq!(place.names("kverify-out"), [image], "something half-written beside it");
        let folder = place.path("kverify-out").join(image);
        let report: Value = serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap();
        let schema = serde_json::from_str(&place.kverify("schema").said().stdout).unwrap();
        if let Err(why) = fits(&report, &schema) {
            panic!("{why}");
        }
        let schema = serde_json::from_str(&place.kverify("schema facts.json").said().stdout).unwrap();
        let facts = serde_json::from_slice(&fs::read(folder.join("facts.json")).unwrap()).unwrap();
        assert_eq!(fits(&facts, &schema), Ok(()));
        let both = ["junit.xml", "report.html"].map(|name| folder.join(name));
        let lint = Command::new("xmllint").arg("--noout").args(both).output().unwrap();
        assert!(lint.status.success(), "{}", String::from_utf8_lossy(&lint.stderr));
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending != "png") {
                assert_harmless(&path.display().to_string(), &fs::read_to_string(&path).unwrap());
            }
        }
        Self { folder, report }
    }

    pub(crate) fn text(&self, name: impl AsRef<Path>) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap()
    }

    /// The outcome of one check.
    pub(crate) fn outcome(&self, check: &str) -> &Value {
        let outcomes = self.report["outcomes"].as_array().unwrap();
        outcomes.iter().find(|outcome| outcome["check"] == check).unwrap()
    }

    /// What was not told of `boot.ready`, of a run without a verdict that left its console and its screen.
    #[track_caller]
    pub(crate) fn untold(&self) -> &str {
        assert_eq!(self.report["verdict"], "no-verdict");
        let ready = self.outcome("boot.ready");
        assert_eq!(ready["status"], "error");
        assert!(!self.text("console.log").is_empty() && self.shows_the_screen());
        ready["why"].as_str().unwrap()
    }

    /// Whether there is a screenshot, as PNG.
    pub(crate) fn shows_the_screen(&self) -> bool {
        fs::read(self.folder.join("screenshot.png")).is_ok_and(|png| png.starts_with(b"\x89PNG\r\n\x1a\n"))
    }
}

/// Whether a value is what a schema describes, as another program reads both.
pub(crate) fn fits(value: &Value, schema: &Value) -> Result<(), String> {
    let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
    compiler.add_resource("schema.json", schema.clone()).unwrap();
    let schema = compiler.compile("schema.json", &mut schemas).unwrap();
    schemas.validate(value, schema).map_err(|error| error.to_string())
}

/// Nothing in a text acts on a terminal: no control characters but line ends and tabs, none that turns the direction.
#[track_caller]
pub(crate) fn assert_harmless(name: &str, text: &str) {
    let bad = |at: &char| at.is_control() && !"\n\t".contains(*at) || "\u{202e}\u{200b}\u{2028}\u{feff}".contains(*at);
    let found = text.lines().find(|line| line.chars().any(|at| bad(&at)));
    assert_eq!(found, None, "{name}");
}
