//! Network cards by their names, which say where a card sits: that is the machine's doing, and not the image's.

/// Whether an interface is called as the kernel or udev calls an Ethernet card: `eth0`, `eno1`, `enp0s2`, `enx525400123456`.
pub(super) fn is_card(name: &str) -> bool {
    let number = |rest: &str| rest.starts_with(|sign: char| sign.is_ascii_digit());
    let by_place = name.strip_prefix("en").and_then(|rest| rest.strip_prefix(['P', 'o', 'p', 's']));
    let by_address = name.strip_prefix("enx").is_some_and(|rest| rest.len() == 12);
    name.strip_prefix("eth").is_some_and(number) || by_place.is_some_and(number) || by_address
}

#[cfg(test)]
mod tests {
    use super::is_card;

    #[test]
    fn cards_are_called_by_number_or_by_place() {
        for name in ["eth0", "eth12", "eno1", "enp0s2", "ens3", "enx525400123456", "enP2p1s0"] {
            assert!(is_card(name), "{name}");
        }
        for name in ["lo", "wg0", "br-eth0", "ether", "engine0", "ens", "enode", "docker0", "entry"] {
            assert!(!is_card(name), "{name}");
        }
    }
}
