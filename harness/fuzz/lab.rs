//! Whatever a guest may send to the lab's gateway.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| kverify::lab::fuzzed::hear(input));
