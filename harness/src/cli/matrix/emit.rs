//! `kverify matrix FILE --emit …`: the same matrix in parts, for the schedulers that people have.

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use minijinja::{AutoEscape, Environment, context};

use super::{Args, shard::MOST};
use crate::{
    matrix::{Campaign, Order},
    shell::quoted,
};

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
    let most = match scheduler {
        // https://docs.gitlab.com/ci/yaml/#parallel
        Scheduler::Gitlab => 200,
        // https://docs.github.com/en/actions/reference/limits
        Scheduler::Github => 256,
        Scheduler::Slurm | Scheduler::Kubernetes => MOST,
    };
    if shards > most {
        bail!("--shards {shards}: it runs {most} at most");
    }
    if shards > campaign.due.len() {
        bail!("--shards {shards}: the matrix has {} rows, and no part may have none", campaign.due.len());
    }
    let matrix_file = text(&args.file)?;
    let out = text(&order.out)?;
    let stem = args.file.file_stem().and_then(|stem| stem.to_str()).unwrap_or("matrix");
    let name: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let words = words(args)?;
    let matrix = format!("kverify matrix {}", quoted(&matrix_file));
    // What runs a part; a job array's script says it in lines of its own.
    let (template, line) = match scheduler {
        Scheduler::Slurm => (include_str!("emit/slurm.sh.jinja"), String::new()),
        Scheduler::Kubernetes => {
            let part = format!("{}/part-\"$JOB_COMPLETION_INDEX\"", quoted(&out));
            let line = format!("exec {matrix} --shard auto{words} --out {part}");
            (include_str!("emit/kubernetes.yaml.jinja"), line)
        }
        Scheduler::Github => {
            let part = "${{ matrix.part }}";
            let line = format!("{matrix} --shard {part}/{shards}{words} --out part-{part}");
            (include_str!("emit/github.yml.jinja"), line)
        }
        Scheduler::Gitlab => {
            let line = format!("{matrix} --shard auto{words} --out part-\"$CI_NODE_INDEX\"");
            (include_str!("emit/gitlab.yml.jinja"), line)
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
            file_word => quoted(&matrix_file),
            out => out.escape_default().to_string(),
            out_word => quoted(&out),
            words,
            line => yaml(&line),
        },
    )?;
    // The last line end of a template is not kept.
    Ok(file + "\n")
}

/// What was said beside the matrix and belongs to each part.
fn words(args: &Args) -> anyhow::Result<String> {
    let mut words = args.machine.words();
    if let Some(times) = &args.times {
        words.extend(["--times".to_owned(), text(times)?]);
    }
    if let Some(deadline) = args.deadline {
        words.extend(["--deadline".to_owned(), format!("{}s", deadline.as_secs())]);
    }
    if args.fail_fast {
        words.push("--fail-fast".to_owned());
    }
    // What a scheduler gives is meant for one row at a time.
    words.extend(["--jobs".to_owned(), args.jobs.unwrap_or(1).to_string()]);
    Ok(words.iter().fold(String::new(), |all, one| all + " " + &quoted(one)))
}

fn text(path: &std::path::Path) -> anyhow::Result<String> {
    let text = path.to_str().with_context(|| format!("{}: no text, which a scheduler's file is", path.display()))?;
    if text.contains('\n') || text.contains("{{") {
        bail!("{}: no scheduler's file can hold such a name", text.escape_default());
    }
    Ok(text.to_owned())
}

/// A text of YAML's: JSON is YAML.
fn yaml(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use clap::{Parser as _, ValueEnum as _};

    use super::{Scheduler, yaml};
    use crate::{
        cli::matrix::{Args, campaign},
        machine::{AccelChoice, FirmwareChoice, Network, Spec},
        matrix::{Fetched, Matrix, Order},
    };

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn a_text_stays_a_text() {
        assert_eq!(yaml("a: \"b\" # c"), r#""a: \"b\" # c""#);
    }

    #[test]
    fn what_is_said_beside_the_matrix_is_said_to_each_part() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("my matrix.toml");
        let row = |name| format!("[[row]]\nname = '{name}'\nimage.file = 'x'\nexpect = 'golden'\nmemory = 1024\n");
        fs::write(&file, row("a") + &row("b")).unwrap();
        for scheduler in Scheduler::value_variants() {
            let name = scheduler.to_possible_value().unwrap();
            let words = ["matrix", "my matrix.toml", "--emit", name.get_name(), "--shards", "2", "--cpus", "4"];
            let more = ["--network", "slirp", "--timeout", "900", "--deadline", "2h", "--fail-fast", "--out", "out"];
            let args = Line::try_parse_from(words.iter().chain(&more)).unwrap().args;
            let spec = Spec {
                memory_mib: 2048,
                cpus: 4,
                accel: AccelChoice::Auto,
                bus: kverify_checks::scenarios::Bus::Virtio,
                clock: None,
                network: Network::Lab,
                firmware: FirmwareChoice::Uefi,
                firmware_vars: None,
                deadline: None,
            };
            let (credential, scratch) = (None, folder.path().to_owned());
            let (matrix, out, fetched) = (Matrix::read(&file).unwrap(), "out".into(), Fetched::default());
            let order = Order { matrix, out, spec, credential, scratch, fetched };
            let campaign = campaign(&args, &order, None).unwrap();
            let text = super::said(*scheduler, &args, &order, &campaign).unwrap();
            insta::assert_snapshot!(format!("emit.{}", name.get_name()), text);
            if *scheduler == Scheduler::Slurm {
                let script = folder.path().join("job.sh");
                fs::write(&script, &text).unwrap();
                assert!(Command::new("bash").arg("-n").arg(&script).status().unwrap().success());
            }
        }
    }
}
