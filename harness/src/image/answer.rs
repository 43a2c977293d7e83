//! The carrier of probes that ask about the image file: what the host knows of it, as any other answer.

use std::time::Instant;

use kverify_checks::{Exit, Output, Probe, Source, probe::ImageAspect};

use super::Image;

/// Exit status of what could not be started, as shells have it.
const NOT_STARTED: i32 = 127;

impl Image {
    /// Answers a probe about the image file within the probe's bounds; `None` if it asks about something else.
    ///
    /// Blocks for as long as `qemu-img check` takes, or for the reading of the partition table, the EFI system partition's
    /// folders and the ZFS labels, or for all of the disk where its content is asked for. What could not be read or run is an answer too, with an exit status that says so.
    #[must_use]
    pub fn answer(&self, probe: &Probe) -> Option<Output> {
        let begun = Instant::now();
        let failed = |code: i32, error: &dyn std::error::Error| {
            let source = error.source().map_or_else(String::new, |source| format!(": {source}"));
            let stderr = format!("{error}{source}");
            Output { exit: Exit::Code(code), stdout: String::new(), stderr, truncated: false, took: begun.elapsed() }
        };
        match probe.source {
            Source::Image(ImageAspect::Consistency) => {
                Some(self.consistency(probe).unwrap_or_else(|error| failed(NOT_STARTED, &error)))
            }
            Source::Image(aspect @ (ImageAspect::Layout | ImageAspect::Content)) => {
                let read = match aspect {
                    ImageAspect::Content => self.content().and_then(|content| Ok(serde_json::to_string(&content)?)),
                    _ => self.layout().and_then(|layout| Ok(serde_json::to_string(&layout)?)),
                };
                Some(match read {
                    Ok(stdout) => Output {
                        exit: Exit::Code(0),
                        truncated: stdout.len() > probe.bound,
                        stdout,
                        stderr: String::new(),
                        took: begun.elapsed(),
                    },
                    Err(error) => failed(1, &error),
                })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use kverify_checks::{
        Exit, Fact, Probe,
        image::{Consistency, Layout},
    };

    use super::super::{
        Image,
        samples::{Samples, patch},
    };

    #[test]
    fn answers_are_those_that_the_facts_read() {
        let samples = Samples::new();
        let image = Image::open(samples.converted("a.qcow2", "qcow2", "")).unwrap();
        let ask = |probe: Probe| image.answer(&probe).unwrap();
        let layout = Layout::parse(&[ask(Layout::probes().remove(0))]).unwrap();
        assert_eq!(layout, image.layout().unwrap());
        let sound = Consistency::Checked { format: "qcow2".to_owned(), corruptions: 0, leaks: 0 };
        assert_eq!(Consistency::parse(&[ask(Consistency::probes().remove(0))]).unwrap(), sound);
        assert!(ask(Layout::probes().remove(0).bound(10)).truncated);
        assert_eq!(image.answer(&Probe::console()), None);
    }

    #[test]
    fn what_cannot_be_read_is_an_answer_too() {
        let samples = Samples::new();
        let path = samples.converted("a.qcow2", "qcow2", "-c");
        let whole = std::fs::read(&path).unwrap();
        patch(&path, &[(0x5_0000, &vec![0xff; whole.len() - 0x5_0000])]);
        let output = Image::open(path).unwrap().answer(&Layout::probes().remove(0)).unwrap();
        assert_eq!(output.exit, Exit::Code(1));
        assert_eq!(output.stderr, "malformed qcow2: a compressed cluster that does not inflate");
    }
}
