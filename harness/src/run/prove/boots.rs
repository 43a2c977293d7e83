//! Which faults share a boot.

use kverify_checks::fault::Fault;

/// Faults that show after a boot, in groups that can share one: no check is named twice in a group. What keeps a machine
/// from settling is alone.
pub(super) fn shared(faults: Vec<Fault>) -> Vec<Vec<Fault>> {
    let mut groups: Vec<Vec<Fault>> = Vec::new();
    for fault in faults {
        let apart = |other: &Fault| !other.unready && other.noticed().all(|id| fault.noticed().all(|mine| mine != id));
        let group = groups.iter_mut().find(|group| !fault.unready && group.iter().all(apart));
        match group {
            Some(group) => group.push(fault),
            None => groups.push(vec![fault]),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use kverify_checks::fault::Fault;

    use super::shared;

    fn fault(id: &str, fails: &str, unready: bool) -> Fault {
        let text = format!(
            "about = 'a'\nfails = ['{fails}']\nat = 'boot'\nunready = {unready}\nproof = 'c'\n\
             [[step]]\nrun = {{ about = 'a', script = 'b' }}\n"
        );
        Fault::read(id, &text).unwrap()
    }

    #[test]
    fn a_boot_is_shared_where_checks_are_others() {
        let faults = vec![
            fault("a", "zfs.pool-named", false),
            fault("b", "boot.ready", true),
            fault("c", "zfs.pool-named", false),
            fault("d", "boot.uefi", false),
        ];
        let groups: Vec<Vec<String>> =
            shared(faults).into_iter().map(|group| group.into_iter().map(|fault| fault.id).collect()).collect();
        assert_eq!(groups, [vec!["a", "d"], vec!["b"], vec!["c"]]);
    }
}
