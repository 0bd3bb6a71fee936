//! Every claim of every section holds, on instances small enough for a test run.

use cairn_lab::{claims::SECTIONS, table::Scale};

fn check(name: &str) {
    let section = SECTIONS.iter().find(|section| section.name == name).expect("the section is known");
    let failed: String =
        (section.rows)(Scale::Small).iter().filter(|row| !row.passed()).map(|row| row.text()).collect();
    assert!(failed.is_empty(), "{failed}");
}

macro_rules! sections {
    ($($test:ident: $name:literal),+ $(,)?) => {
        const TESTED: &[&str] = &[$($name),+];
        $(#[test]
        fn $test() {
            check($name);
        })+
    };
}

sections! {
    models: "models",
    fault_tolerance: "fault-tolerance",
    lock: "lock",
    registers: "registers",
    herlihy: "herlihy",
    sequence_numbers: "sequence-numbers",
    paxos: "paxos",
    fast_paxos: "fast-paxos",
    epaxos: "epaxos",
    zab: "zab",
    generals: "generals",
    pbft: "pbft",
}

#[test]
fn every_section_has_a_test() {
    let names: Vec<&str> = SECTIONS.iter().map(|section| section.name).collect();
    assert_eq!(names, TESTED);
}
