//! Time over the network: one answer to each question (RFC 5905, client and server mode). Pure.

use jiff::Timestamp;

/// The port of the time service.
pub(super) const PORT: u16 = 123;

/// Bytes of a message without extensions.
const LENGTH: usize = 48;
/// From 1900, where its era begins, to 1970, in seconds.
const TO_UNIX: i64 = 2_208_988_800;
const CLIENT: u8 = 3;
const SERVER: u8 = 4;
/// Directly beneath a reference clock.
const STRATUM: u8 = 1;
/// A microsecond, as a power of two of a second.
const PRECISION: i8 = -20;

/// The answer to what a client asked at `now`; none to what no client says.
pub(super) fn answer(question: &[u8], now: Timestamp) -> Option<Vec<u8>> {
    let (first, client_time) = (*question.first()?, question.get(40..LENGTH)?);
    let (mode, version) = (first & 0b111, first >> 3 & 0b111);
    if mode != CLIENT || !(3..=4).contains(&version) {
        return None;
    }
    let time = stamp(now);
    let mut answer = Vec::with_capacity(LENGTH);
    answer.extend([version << 3 | SERVER, STRATUM, question[2], PRECISION.to_be_bytes()[0]]);
    // No delay and hardly any dispersion: the reference is here.
    answer.extend([0, 0, 0, 0, 0, 0, 0, 1]);
    answer.extend(*b"LOCL");
    answer.extend(time);
    answer.extend(client_time);
    answer.extend(time);
    answer.extend(time);
    Some(answer)
}

/// Seconds of the era in 32 bits, and 32 bits of a fraction.
fn stamp(now: Timestamp) -> [u8; 8] {
    let nanoseconds = now.as_nanosecond();
    let seconds = nanoseconds.div_euclid(1_000_000_000) + i128::from(TO_UNIX);
    let fraction = (nanoseconds.rem_euclid(1_000_000_000) << 32) / 1_000_000_000;
    let whole = (seconds << 32) | fraction;
    // Eras follow each other: what is beyond 64 bits is the era's number.
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&whole.to_be_bytes()[8..]);
    bytes
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{LENGTH, answer};

    fn question(first: u8) -> Vec<u8> {
        let mut question = vec![0; LENGTH];
        question[0] = first;
        question[40..].copy_from_slice(b"MYSECOND");
        question
    }

    #[test]
    fn a_client_gets_its_own_time_back_and_ours() {
        let now = Timestamp::from_second(1_800_000_000).unwrap() + jiff::SignedDuration::from_millis(500);
        let answer = answer(&question(0b00_100_011), now).unwrap();
        assert_eq!(answer.len(), LENGTH);
        assert_eq!(answer[0], 0b00_100_100, "no leap second, version 4, a server's");
        assert_eq!(answer[1], 1, "timesyncd and chrony refuse stratum 0");
        assert_eq!(&answer[24..32], b"MYSECOND");
        let seconds = u32::from_be_bytes(answer[40..44].try_into().unwrap());
        assert_eq!(i64::from(seconds), 1_800_000_000 + 2_208_988_800);
        assert_eq!(answer[44..48], [0x80, 0, 0, 0], "half a second");
    }

    #[test]
    fn after_2036_its_seconds_begin_again() {
        let now = Timestamp::from_second(2_085_978_496 + 7).unwrap();
        assert_eq!(answer(&question(0x23), now).unwrap()[40..44], [0, 0, 0, 7]);
    }

    #[test]
    fn what_no_client_says_is_not_answered() {
        assert_eq!(answer(&question(0b00_100_100), Timestamp::UNIX_EPOCH), None, "another server's answer");
        assert_eq!(answer(&question(0x23)[..47], Timestamp::UNIX_EPOCH), None);
        assert_eq!(answer(&[], Timestamp::UNIX_EPOCH), None);
    }
}
