//! `kverify channel` and `kverify fetch`: reading a channel, and getting what it points to; both believe signatures only.

use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::json;

use super::{export::FormatArg, said::Said, store::At, trust::Trust};
use crate::{
    gate::{Action, Record, Target},
    pipeline::{self, FetchError, Wanted, promotion},
};

/// Options of `kverify channel`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// `log` shows every record, `get` what the channel points to.
    what: What,
    /// The channel.
    channel: String,
    #[command(flatten)]
    store: At,
    #[command(flatten)]
    trust: Trust,
    /// How it is written.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

/// Options of `kverify fetch`.
#[derive(Debug, clap::Args)]
pub(crate) struct FetchArgs {
    /// The channel.
    #[arg(long)]
    channel: String,
    #[command(flatten)]
    store: At,
    #[command(flatten)]
    trust: Trust,
    /// The number of the latest record that was seen before: a channel that ends earlier was cut off.
    #[arg(long, value_name = "N", default_value_t = 1)]
    at_least: u64,
    /// The file that was exported as this [default: the image itself, as it was verified].
    #[arg(long, value_name = "FORMAT")]
    format: Option<FormatArg>,
    /// Where the image goes; nothing may be there yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    Log,
    Get,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// JSON.
    Json,
    /// Variables for Terraform.
    Tfvars,
    /// Variables for a shell.
    Env,
}

/// Shows a channel.
pub(crate) async fn said(args: &Args) -> anyhow::Result<Said> {
    let trusted = args.trust.keys()?;
    let mut records = promotion::records(&args.store.open()?, &args.channel, &trusted).await?;
    if args.what == What::Get {
        records = records.pop().into_iter().collect();
    }
    if records.is_empty() {
        return Err(FetchError::Empty(args.channel.clone()).into());
    }
    Ok(Said::well(match args.format {
        Format::Text => records.iter().map(line).collect(),
        Format::Json => format!("{:#}\n", json!(records.iter().map(brief).collect::<Vec<_>>())),
        Format::Tfvars => assignments(&records, |key, value| format!("{key} = \"{value}\"\n")),
        Format::Env => assignments(&records, |key, value| format!("{}=\"{value}\"\n", key.to_uppercase())),
    }))
}

/// Fetches what a channel points to.
pub(crate) async fn fetched(args: &FetchArgs) -> anyhow::Result<Said> {
    let trusted = args.trust.keys()?;
    let format = args.format.map(Target::from);
    let wanted = Wanted { channel: &args.channel, least: args.at_least, format };
    match pipeline::fetch(&args.store.open()?, &wanted, &trusted, &args.out).await {
        Ok((record, digest)) => {
            let Record { name, image, .. } = record;
            let made = format.map(|format| format!("  {format:<8}{digest}\n")).unwrap_or_default();
            Ok(Said::well(format!("{}: {name}\n  image   {image}\n{made}", args.out.display())))
        }
        Err(why @ (FetchError::Revoked { .. } | FetchError::CutOff { .. })) => {
            Ok(Said { text: format!("not fetched: {why}\n"), code: 1 })
        }
        Err(error) => Err(error.into()),
    }
}

fn action(record: &Record) -> &'static str {
    match record.action {
        Action::Promote => "promote",
        Action::Rollback => "rollback",
    }
}

fn line(record: &Record) -> String {
    let Record { number, at, name, image, reason, .. } = record;
    format!("{number:>4}  {at}  {:<8}  {name}\n      {image}\n      {reason}\n", action(record))
}

/// A record without the envelope inside it.
fn brief(record: &Record) -> serde_json::Value {
    json!({
        "channel": record.channel, "number": record.number, "action": record.action, "name": record.name,
        "image": record.image, "previous": record.previous, "reason": record.reason, "at": record.at,
    })
}

/// What the last of the records says, each value as an assignment: of characters that mean nothing to who reads them.
fn assignments(records: &[Record], assign: impl Fn(&str, &str) -> String) -> String {
    let Some(Record { channel, number, name, image, .. }) = records.last() else { return String::new() };
    let values = [
        ("image_channel", channel.clone()),
        ("image_number", number.to_string()),
        ("image_name", name.clone()),
        ("image_digest", image.to_string()),
    ];
    values.iter().map(|(key, value)| assign(key, value)).collect()
}
