//! Encodings of the ledger.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cairn_vm_tests::fuzz::targets::encodings(bytes));
