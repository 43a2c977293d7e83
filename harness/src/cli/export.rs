//! `kverify export SEALED`.

use std::{fmt::Write as _, path::PathBuf};

use anyhow::bail;
use clap::ValueEnum;

use super::{
    live::{Live, Shown},
    said::Said,
    verify::interrupted,
};
use crate::{
    gate::{ExportedFile, Firmware, Target},
    pipeline::{Compression, Export, ExportError, ExportRequest, RECORD, SUMS, export},
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

impl Args {
    /// The formats.
    pub(crate) fn targets(&self) -> Vec<Target> {
        self.format.iter().map(|format| Target::from(*format)).collect()
    }
}

/// Exports, and says what was proven.
pub(crate) async fn said(args: &Args, shown: Shown) -> anyhow::Result<Said> {
    let request = ExportRequest {
        image: args.image.clone(),
        targets: args.targets(),
        folder: args.out_dir.clone(),
        compression: match args.compress {
            CompressArg::Zlib => Compression::Zlib,
            CompressArg::Zstd => Compression::Zstd,
        },
    };
    let live = Live::new(shown);
    let progress = |step| live.show(&step);
    let exported = tokio::select! {
        exported = export(&request, &progress) => exported,
        name = interrupted() => bail!("interrupted by {}; nothing is left in {}", name?, request.folder.display()),
    };
    drop(live);
    match exported {
        Ok(export) => Ok(Said::well(text(&export, &request, shown))),
        // The writer was caught: that is an answer, and no lack of one.
        Err(why @ ExportError::Unproven { .. }) => Ok(Said {
            text: format!("not exported: {why}\n  nothing is left in {}\n", request.folder.display()),
            code: 1,
        }),
        Err(error) => Err(error.into()),
    }
}

fn text(export: &Export, request: &ExportRequest, shown: Shown) -> String {
    let Export { exported, seconds } = export;
    let mut text = format!("exported {} to {}\n", request.image.display(), request.folder.display());
    if shown.quiet {
        return text;
    }
    let _ = writeln!(text, "  {:<10}{}, a disk of {} MiB", "image", exported.digest, exported.virtual_bytes / MIB);
    for file in &exported.files {
        row(&mut text, file, shown.verbose);
    }
    let _ = writeln!(text, "  {:<10}{SUMS} for sha256sum -c; {RECORD} says what was proven", "beside");
    let each: Vec<_> = seconds
        .iter()
        .map(|(target, wrote, proved)| format!("{target} {wrote:.1} to write, {proved:.1} to prove"))
        .collect();
    let _ = writeln!(text, "  {:<10}{}", "seconds", each.join("; "));
    text
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
