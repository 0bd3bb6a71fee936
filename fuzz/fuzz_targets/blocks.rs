//! Whole blocks: decoded, checked, built, executed, undone.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cairn_vm_tests::fuzz::blocks::blocks(bytes));
