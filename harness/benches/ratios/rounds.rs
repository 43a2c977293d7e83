//! Whole programs on one image: the usual script, the bare boot, kverify cold and kverify warm.

use std::{io, path::Path, process::Command};

use crate::{
    Args,
    child::{Used, run},
    series::Series,
    way_in::WayIn,
};

/// Seconds from start to end, one for each round; and what kverify itself used.
#[derive(Default)]
pub(crate) struct Rounds {
    pub(crate) usual: Series,
    pub(crate) floor: Series,
    pub(crate) cold: Series,
    pub(crate) warm: Series,
    /// kverify cold with everything that it asks.
    pub(crate) whole: Series,
    /// kverify's own CPU time over the time of its run, in percent.
    pub(crate) cpu_percent: Series,
    pub(crate) peak_mib: Series,
}

pub(crate) fn measure(args: &Args, checks: &[String], work: &Path) -> io::Result<Rounds> {
    let way_in = WayIn::make(work)?;
    let script = |name: &str| {
        let mut command = Command::new(args.scripts.join(name));
        command.arg(&args.image).arg(&way_in.seed).arg(&way_in.key);
        command
    };
    let kverify = || {
        let mut command = Command::new(&args.kverify);
        // Only the account of this bench has captured machines here.
        command.arg(&args.image).args(["--accel", "tcg", "--out"]).arg(work.join("report")).env("XDG_CACHE_HOME", work);
        command.arg("--only").arg(checks.join(","));
        command
    };
    let mut rounds = Rounds::default();
    let mut own = |used: Used| {
        rounds.cpu_percent.push(100.0 * used.cpu / used.wall);
        rounds.peak_mib.push(used.peak_mib);
        used.wall
    };
    eprintln!("bench: kverify fills its cache of captured machines");
    run(kverify().arg("--warm"));
    for round in 1..=args.rounds {
        eprintln!("bench: round {round} of {}: the usual script", args.rounds);
        rounds.usual.push(run(&mut script("smoke-test")).wall);
        eprintln!("bench: the bare boot");
        rounds.floor.push(run(&mut script("floor")).wall);
        eprintln!("bench: kverify cold");
        rounds.cold.push(own(run(&mut kverify())));
        eprintln!("bench: kverify --warm");
        rounds.warm.push(run(kverify().arg("--warm")).wall);
    }
    eprintln!("bench: kverify cold, everything");
    let mut whole = Command::new(&args.kverify);
    whole.arg(&args.image).args(["--accel", "tcg", "--out"]).arg(work.join("report"));
    rounds.whole.push(own(run(&mut whole)));
    Ok(rounds)
}
