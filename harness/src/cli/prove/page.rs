//! A proof as people read it.

use kverify_checks::fault::{At, Fault};

use crate::{
    report::{Ink, Page, Style, plain},
    run::{Came, Proof, Tried, Twin},
};

/// Every fault with the checks that have to notice it.
pub(super) fn listed(faults: &[Fault], style: &Style) -> String {
    let mut page = Page::new(style);
    let widest = faults.iter().map(|fault| fault.id.len()).max().unwrap_or(0);
    for fault in faults {
        let when = match fault.at {
            At::Settled => "",
            At::Boot => " (boots again)",
            At::File => " (in the file)",
            At::Sealed => " (on a sealed disk)",
        };
        let noticed: Vec<_> = fault.noticed().map(String::as_str).collect();
        page.hanging(0, widest + 2, Ink::Good, &fault.id, &format!("{}{when}: {}", fault.about, noticed.join(", ")));
    }
    page.gap();
    page.line(&format!("{} faults. `kverify prove IMAGE --only NAME,…` tries them.", faults.len()));
    page.finish()
}

/// What came of a fault, in one line.
pub(super) fn line(tried: &Tried) -> String {
    let with = match tried.with.len() {
        0 => String::new(),
        more => format!(", with {more} more"),
    };
    let found = found(tried, 300);
    format!("{:9}  {}  {found}  ({:.1} s{with})", word(&tried.came), tried.fault, tried.seconds)
}

/// What noticed it, what did not, or why nothing is known of that, in at most so many characters.
fn found(tried: &Tried, most: usize) -> String {
    match &tried.came {
        Came::Caught if tried.had_to.is_empty() => format!("{} checks hold", tried.asked),
        Came::Caught => tried.did.join(", "),
        Came::Missed { not, too } => {
            let list = |what: &str, ids: &[String]| (!ids.is_empty()).then(|| format!("{what} {}", ids.join(", ")));
            let parts = [list("did not fail:", not), list("should not have failed:", too)];
            parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
        }
        Came::NotDone { why } | Came::NotHere { why } => plain::line(why, most),
    }
}

/// What came of an untouched machine, in one line.
pub(super) fn twin(twin: &Twin) -> String {
    let settled =
        twin.settled.map_or_else(|| "it did not settle".to_owned(), |settled| format!("settled after {settled:.1} s"));
    if twin.alarms.is_empty() {
        format!("untouched  {}: {} checks hold, {settled}", twin.machine, twin.passed)
    } else {
        format!("ALARM      {}: {}, {settled}", twin.machine, twin.alarms.join("; "))
    }
}

fn word(came: &Came) -> &'static str {
    match came {
        Came::Caught => "caught",
        Came::Missed { .. } => "MISSED",
        Came::NotDone { .. } => "NOT DONE",
        Came::NotHere { .. } => "not here",
    }
}

/// The whole proof.
pub(super) fn table(proof: &Proof, style: &Style) -> String {
    let mut page = Page::new(style);
    let widest = proof.tried.iter().map(|tried| tried.fault.len()).max().unwrap_or(0);
    for tried in &proof.tried {
        let ink = match tried.came {
            Came::Caught => Ink::Good,
            Came::Missed { .. } => Ink::Bad,
            Came::NotDone { .. } | Came::NotHere { .. } => Ink::Unsure,
        };
        // Filled up before it is coloured: colours take no columns.
        let word = style.paint(ink, &format!("{:9}", word(&tried.came)));
        page.line(&format!("{word} {:widest$}  {:5.1} s", tried.fault, tried.seconds));
        page.hanging(10, 0, ink, "", &found(tried, 1000));
        for said in tried.said.iter().filter(|_| matches!(tried.came, Came::Missed { .. })) {
            page.hanging(10, 0, ink, "", &plain::line(said, 400));
        }
    }
    page.gap();
    for twin in &proof.twins {
        page.line(&self::twin(twin));
    }
    page.gap();
    if !proof.without_fault.is_empty() {
        page.hanging(0, 9, Ink::Faint, "no fault", &proof.without_fault.join(", "));
        page.gap();
    }
    page.line(&summary(proof));
    page.finish()
}

fn summary(proof: &Proof) -> String {
    let count =
        |of: fn(&Tried) -> bool| proof.tried.iter().filter(|tried| !tried.had_to.is_empty() && of(tried)).count();
    let caught = count(Tried::caught);
    let here = count(|tried| !matches!(tried.came, Came::NotHere { .. }));
    let verdict = match proof.exit_code() {
        0 => "proven",
        1 => "missed",
        _ => "not proven",
    };
    let alarms = proof.twins.iter().filter(|twin| !twin.alarms.is_empty()).count();
    let twins = if proof.twins.is_empty() {
        String::new()
    } else {
        format!(", {alarms} false alarms on {} untouched machines", proof.twins.len())
    };
    format!(
        "{verdict}  {}: {caught} of {here} faults caught by exactly their checks{twins}; {} of {} checks with a fault; {:.0} s",
        proof.image,
        proof.asked - proof.without_fault.len(),
        proof.asked,
        proof.seconds
    )
}
