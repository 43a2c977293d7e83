//! `kverify matrix FILE --emit …`: the same matrix in parts, for the schedulers that people have.

use std::fmt::Write as _;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use minijinja::{AutoEscape, Environment, context};

use super::Args;
use crate::matrix::{Campaign, Order};

/// Who runs the parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Scheduler {
    /// A job array.
    Slurm,
    /// An indexed Job.
    Kubernetes,
    /// A workflow of GitHub Actions.
    Github,
    /// A pipeline of GitLab.
    Gitlab,
}

/// The file for a scheduler.
pub(super) fn said(scheduler: Scheduler, args: &Args, order: &Order, campaign: &Campaign) -> anyhow::Result<String> {
    let shards = usize::from(args.shards.context("--shards says how many parts there are to be")?);
    if shards > campaign.due.len() {
        bail!("--shards {shards}: the matrix has {} rows, and no part may have none", campaign.due.len());
    }
    let matrix_file = text(&args.file)?;
    let out = text(&order.out)?;
    let stem = args.file.file_stem().and_then(|stem| stem.to_str()).unwrap_or("matrix");
    let name: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let words = words(args)?;
    let matrix = format!("kverify matrix {}", word(&matrix_file));
    let (template, script, run) = match scheduler {
        Scheduler::Slurm => (include_str!("emit/slurm.sh"), String::new(), String::new()),
        Scheduler::Kubernetes => {
            let part = format!("{}/part-\"$JOB_COMPLETION_INDEX\"", word(&out));
            let script = format!("rm -rf {part} && exec {matrix} --shard auto{words} --out {part}");
            (include_str!("emit/kubernetes.yaml"), yaml(&script), String::new())
        }
        Scheduler::Github => {
            let run =
                format!("{matrix} --shard ${{{{ matrix.part }}}}/{shards}{words} --out part-${{{{ matrix.part }}}}");
            (include_str!("emit/github.yml"), String::new(), yaml(&run))
        }
        Scheduler::Gitlab => {
            let run = format!("{matrix} --shard auto{words} --out part-\"$CI_NODE_INDEX\"");
            (include_str!("emit/gitlab.yml"), String::new(), yaml(&run))
        }
    };
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let parts: Vec<_> = (1..=shards).map(|part| part.to_string()).collect();
    let file = environment.render_str(
        template,
        context! {
            kverify => env!("CARGO_PKG_VERSION"),
            matrix => campaign.matrix.escape_default().to_string(),
            name => format!("kverify-{name}"),
            shards,
            parts => parts.join(", "),
            cpus => campaign.loads.iter().map(|load| load.cpus).max(),
            memory => campaign.loads.iter().map(|load| load.memory_mib).max(),
            file_word => word(&matrix_file),
            out => out.escape_default().to_string(),
            out_word => word(&out),
            words,
            script,
            run,
        },
    )?;
    // The last line end of a template is not kept.
    Ok(file + "\n")
}

/// What was said beside the matrix and belongs to each part.
fn words(args: &Args) -> anyhow::Result<String> {
    let mut words = String::new();
    if !args.only.is_empty() {
        let _ = write!(words, " --only {}", word(&args.only.join(",")));
    }
    if let Some(times) = &args.times {
        let _ = write!(words, " --times {}", word(&text(times)?));
    }
    if args.fail_fast {
        words += " --fail-fast";
    }
    Ok(words)
}

fn text(path: &std::path::Path) -> anyhow::Result<String> {
    let text = path.to_str().with_context(|| format!("{}: no text, which a scheduler's file is", path.display()))?;
    if text.contains('\n') || text.contains("{{") {
        bail!("{}: no scheduler's file can hold such a name", text.escape_default());
    }
    Ok(text.to_owned())
}

/// A word of a shell's.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+/=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// A text of YAML's: JSON is YAML.
fn yaml(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{word, yaml};

    #[test]
    fn words_stay_words() {
        assert_eq!(word("matrices/smoke.toml"), "matrices/smoke.toml");
        assert_eq!(word("my matrix.toml"), "'my matrix.toml'");
        assert_eq!(word("it's"), r"'it'\''s'");
        assert_eq!(word(""), "''");
        assert_eq!(yaml("a: \"b\" # c"), r#""a: \"b\" # c""#);
    }
}
