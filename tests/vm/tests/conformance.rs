//! Every official case passes; only what needs blobs is left out.

use cairn_vm_tests::{
    input,
    suite::{self, Options},
    verdict::{Skip, Verdict},
};

// VM-1, VM-2, VM-3, VM-6, VM-9, VM-12, VM-13, VM-15, VM-17
#[test]
fn every_official_case_passes_but_those_about_blobs() {
    let vectors = cairn_vectors::folder();
    if !vectors.is_dir() {
        return cairn_vectors::skip(cairn_vectors::Needs::Vectors);
    }
    let mut failed = 0;
    for pack in input::packs(&vectors).expect("the folder can be read") {
        let report = suite::run(&pack, &Options::default()).expect("the pack can be read");
        println!("{}", report.text());
        failed += report.counts().failed;
        for case in &report.cases {
            let Verdict::Skipped(skip) = &case.verdict else { continue };
            assert!(!matches!(skip, Skip::Fork(_)), "{}: {}", case.id, skip.reason());
        }
    }
    assert_eq!(failed, 0);
}
