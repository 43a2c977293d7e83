//! `kverify export SEALED`.

use std::{fmt::Write as _, path::PathBuf};

use anyhow::{Context as _, anyhow, bail};
use clap::ValueEnum;

use super::{
    live::{Live, Shown},
    pipeline::line::Line,
    said::Said,
    verify::interrupted,
};
use crate::{
    gate::{Exported, ExportedFile, Firmware, Target},
    pipeline::{
        Compression, Export, ExportError, ExportRequest, How, Parcel, Prepared, RECORD, SUMS, ScpTarget, SendRequest,
        Sent, Sums, finished, send, try_target,
    },
    run::Progress,
};

const MIB: u64 = 1 << 20;
/// The way of a raw disk to an image of AWS that leaves the guest alone, once it is in a bucket.
const AWS: [&str; 2] = [
    "aws ec2 import-snapshot --disk-container Format=RAW,UserBucket={S3Bucket=BUCKET,S3Key=FILE}",
    "aws ec2 register-image --name NAME --architecture x86_64 --virtualization-type hvm --ena-support --boot-mode uefi \
     --root-device-name /dev/sda1 --block-device-mappings DeviceName=/dev/sda1,Ebs={SnapshotId=SNAPSHOT}",
];

/// Options of `kverify export`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The image: qcow2 or raw, sealed. It is never written; the files are called as it is.
    image: PathBuf,
    /// The formats, parted by commas.
    #[arg(long, value_name = "FORMAT", required = true, value_delimiter = ',')]
    format: Vec<FormatArg>,
    /// The folder for the files; none of them may be there yet.
    #[arg(long, value_name = "DIR")]
    out_dir: PathBuf,
    /// How qcow2 is compressed: zstd is faster, and needs QEMU 5.1 or later where it is read.
    #[arg(long, value_name = "HOW", default_value = "zlib")]
    compress: CompressArg,
    /// Then send the files to a folder on another host, `[user@]host:path` or `scp://[user@]host[:port]/path`, by OpenSSH as
    /// it is configured here. What broke off is gone on with by the same call, which exports nothing again that is in
    /// --out-dir.
    #[arg(long, value_name = "TARGET")]
    scp_target: Option<ScpTarget>,
    /// The configuration of ssh for that, in the place of ~/.ssh/config.
    #[arg(long, value_name = "FILE", requires = "scp_target")]
    ssh_config: Option<PathBuf>,
}

/// A format, as it is written on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FormatArg {
    /// Compressed; for KVM, Proxmox, OpenStack.
    Qcow2,
    /// Stream-optimized; for vSphere, AWS.
    Vmdk,
    /// Fixed, of whole MiB; for Azure.
    Vhd,
    /// Dynamic; for Hyper-V.
    Vhdx,
    /// VMDK with OVF and manifest; for vSphere, VirtualBox.
    Ova,
    /// The bytes of the disk, with holes; for AWS.
    Raw,
    /// `disk.raw` of whole GiB in a tar.gz; for Google Compute Engine.
    Gce,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CompressArg {
    Zlib,
    Zstd,
}

impl From<FormatArg> for Target {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Qcow2 => Self::Qcow2,
            FormatArg::Vmdk => Self::Vmdk,
            FormatArg::Vhd => Self::Vhd,
            FormatArg::Vhdx => Self::Vhdx,
            FormatArg::Ova => Self::Ova,
            FormatArg::Raw => Self::Raw,
            FormatArg::Gce => Self::Gce,
        }
    }
}

/// What was exported, now or before, and sent.
struct Outcome {
    exported: Exported,
    /// The time that each format took, where it was exported now.
    seconds: Option<Vec<(Target, f64, f64)>>,
    sent: Option<Sent>,
}

impl Args {
    /// The formats.
    pub(crate) fn targets(&self) -> Vec<Target> {
        self.format.iter().map(|format| Target::from(*format)).collect()
    }

    fn request(&self) -> ExportRequest {
        ExportRequest {
            image: self.image.clone(),
            targets: self.targets(),
            folder: self.out_dir.clone(),
            compression: match self.compress {
                CompressArg::Zlib => Compression::Zlib,
                CompressArg::Zstd => Compression::Zstd,
            },
        }
    }

    /// Where the files are sent.
    fn send_request(&self) -> Option<SendRequest> {
        let target = self.scp_target.clone()?;
        Some(SendRequest { target, config: self.ssh_config.clone() })
    }

    /// This call, as it is typed.
    fn again(&self) -> String {
        let formats: Vec<_> = self.targets().iter().map(ToString::to_string).collect();
        let mut line = Line::of(&["export"]).text(&self.image).text("--format").text(formats.join(","));
        line = line.text("--out-dir").text(&self.out_dir);
        if matches!(self.compress, CompressArg::Zstd) {
            line = line.text("--compress").text("zstd");
        }
        if let Some(target) = &self.scp_target {
            line = line.text("--scp-target").text(target.to_string());
        }
        if let Some(config) = &self.ssh_config {
            line = line.text("--ssh-config").text(config);
        }
        line.shown()
    }
}

/// Exports, sends where that is asked, and says what was proven.
pub(crate) async fn said(args: &Args, shown: Shown) -> anyhow::Result<Said> {
    let (request, sending) = (args.request(), args.send_request());
    let live = Live::new(shown);
    let progress = |step| live.show(&step);
    let folder = request.folder.display();
    let again = args.again();
    let kept = || format!("the export is kept in {folder}; to go on with sending it: {again}");
    let exported = tokio::select! {
        exported = exported(&request, sending.as_ref(), &again, &progress) => exported,
        // An earlier call may have left what this one would have sent.
        name = interrupted() => {
            let before = sending.is_some() && request.folder.join(RECORD).exists();
            let left = if before { kept() } else { format!("nothing is left in {folder}") };
            bail!("interrupted by {}; {left}", name?)
        }
    };
    let mut outcome = match exported {
        Ok(outcome) => outcome,
        Err(error) => match error.downcast_ref::<ExportError>() {
            // The writer was caught: that is an answer, and no lack of one.
            Some(why @ ExportError::Unproven { .. }) => {
                let text = format!("not exported: {why}\n  nothing is left in {folder}\n");
                return Ok(Said { text, code: 1 });
            }
            _ => return Err(error),
        },
    };
    if let Some(sending) = &sending {
        let parcels = Parcel::of_export(&request.folder, &outcome.exported).with_context(|| folder.to_string())?;
        let sent = tokio::select! {
            sent = send(sending, &request.folder, &parcels, &progress) => sent,
            name = interrupted() => bail!("interrupted by {}; {}", name?, kept()),
        };
        outcome.sent = Some(sent.map_err(|why| anyhow!("{why}; {}", kept()))?);
    }
    drop(live);
    Ok(Said::well(text(&outcome, args, shown)))
}

/// The export that was asked for: written now, or found where it goes.
async fn exported(
    request: &ExportRequest,
    sending: Option<&SendRequest>,
    again: &str,
    progress: &(dyn Fn(Progress) + Sync),
) -> anyhow::Result<Outcome> {
    if sending.is_some()
        && let Some(exported) = finished(request).await?
    {
        progress(Progress::Step { about: format!("exported already: {}", request.folder.display()) });
        return Ok(Outcome { exported, seconds: None, sent: None });
    }
    let prepared = Prepared::of(request).await?;
    if let Some(sending) = sending {
        // Half an hour of work is not to end before a closed door.
        let tried = try_target(sending, &prepared.names(), prepared.needed(), progress).await;
        tried.map_err(|why| anyhow!("{why}; nothing was exported; to do it once this is mended: {again}"))?;
    }
    let Export { exported, seconds } = prepared.export(progress).await?;
    Ok(Outcome { exported, seconds: Some(seconds), sent: None })
}

fn text(outcome: &Outcome, args: &Args, shown: Shown) -> String {
    let Outcome { exported, seconds, sent } = outcome;
    let (image, folder) = (args.image.display(), args.out_dir.display());
    let mut text = match seconds {
        Some(_) => format!("exported {image} to {folder}\n"),
        None => format!("exported already: {image} to {folder}\n"),
    };
    let to = sent.as_ref().zip(args.scp_target.as_ref());
    if shown.quiet {
        if let Some((sent, target)) = to {
            let _ = writeln!(text, "sent to {target}{}", not_asked(&sent.sums));
        }
        return text;
    }
    let _ = writeln!(text, "  {:<10}{}, a disk of {} MiB", "image", exported.digest, exported.virtual_bytes / MIB);
    for file in &exported.files {
        row(&mut text, file, shown.verbose);
    }
    let _ = writeln!(text, "  {:<10}{SUMS} for sha256sum -c; {RECORD} says what was proven", "beside");
    if let Some((sent, target)) = to {
        let (files, new) = (sent.files.len(), sent.files.iter().filter(|file| file.how != How::WasThere).count());
        let held = match &sent.sums {
            Sums::Hold => "; the sums hold there".to_owned(),
            not @ Sums::NotAsked(_) => not_asked(not),
        };
        let _ = writeln!(text, "  {:<10}to {target}: {files} files, {new} of them new{held}", "sent");
        for file in sent.files.iter().filter(|_| shown.verbose) {
            let (name, bytes) = (&file.name, file.bytes);
            let how = match file.how {
                How::New => format!("all of its {bytes} bytes"),
                How::GoneOn(before) => format!("the rest of its {bytes} bytes, {before} of which were there"),
                How::WasThere => format!("none of its {bytes} bytes, which were there"),
            };
            let _ = writeln!(text, "  {:<10}{name}: {how}", "");
        }
    }
    let each = seconds.iter().flatten();
    let each = each.map(|(target, wrote, proved)| format!("{target} {wrote:.1} to write, {proved:.1} to prove"));
    let each: Vec<_> = each.chain(sent.iter().map(|sent| format!("{:.1} to send", sent.seconds))).collect();
    let _ = writeln!(text, "  {:<10}{}", "seconds", each.join("; "));
    text
}

/// What is not known of files that were sent, and why.
fn not_asked(sums: &Sums) -> String {
    match sums {
        Sums::Hold => String::new(),
        Sums::NotAsked(why) => format!("; sums not asked there: {why}; the sizes are right"),
    }
}

fn row(text: &mut String, file: &ExportedFile, verbose: bool) {
    let ExportedFile { format, file: name, bytes, sha256, proof, .. } = file;
    let longer = match proof.zero_bytes {
        0 => String::new(),
        zeros => format!(" and {zeros} zeros behind it"),
    };
    let _ = writeln!(
        text,
        "  {:<10}{name}, {} MiB: the image's {} bytes{longer}, read by {}",
        format.to_string(),
        bytes.div_ceil(MIB),
        proof.equal_bytes,
        proof.reader
    );
    if verbose {
        let _ = writeln!(text, "  {:<10}{sha256}", "");
        for found in &proof.found {
            let _ = writeln!(text, "  {:<10}{found}", "");
        }
        if *format == Target::Raw {
            // VM Import would change the guest; a snapshot that is imported as it is stays what was tested.
            for step in AWS {
                let _ = writeln!(text, "  {:<10}{}", "aws", step.replace("FILE", name));
            }
        }
        if file.firmware == Firmware::Undeclared {
            let _ = writeln!(text, "  {:<10}whoever imports it has to choose EFI firmware", "");
        }
    }
}
