//! Certificates that contradict each other, of which one was refused for its depth; and a member whose database came back older.

use chain_core::{finality::Evidence, hash::BlockHash};

use super::{
    finality::{accept, alarm, certificate, certify, final_spec, finalized, fork, give_all, key, kit, take},
    kit::Kit,
};
use crate::{
    engine::AcceptError,
    finality::{Alarm, Record},
    mempool::MempoolConfig,
};

/// A node whose own branch is so long that the window lets it follow neither of two others.
///
///     genesis - a1 ... a6
///            \ b1 ... b9
///            \ c1 ... c12   here
fn outgrown() -> (Kit, Vec<BlockHash>, Vec<BlockHash>) {
    let (a, on_a, b, on_b) = fork(8);
    let mut c = kit(8);
    c.name = 2;
    c.mine_many(12);
    c.now = c.now.max(a.now);
    give_all(&a, &mut c);
    give_all(&b, &mut c);
    assert_eq!(c.height(), 12);
    (c, on_a, on_b)
}

// FIN-4
#[test]
fn two_refused_certificates_that_contradict_each_other_raise_the_alarm_once() {
    let (mut c, on_a, on_b) = outgrown();
    certify(&mut c, 4, on_a[3]);
    assert!(matches!(alarm(&c), Some(Alarm::TooDeep { height: 4, .. })));
    // A higher one, on another branch.
    let conflict = Some(Alarm::Conflict { height: 8, hash: on_b[7], at: 4, finalized: on_a[3] });
    certify(&mut c, 8, on_b[7]);
    assert_eq!(alarm(&c), conflict);
    // Peers tell both again and again.
    certify(&mut c, 4, on_a[3]);
    certify(&mut c, 8, on_b[7]);
    assert_eq!(alarm(&c), conflict);
    // The newest can be accepted. More than f members stay faulty.
    assert_eq!(accept(&mut c, on_b[7]), Ok(8));
    assert_eq!((c.tip(), finalized(&c), alarm(&c)), (on_b[8], (8, on_b[7]), conflict));
}

// FIN-4
#[test]
fn two_refused_certificates_for_one_height_name_those_who_signed_both() {
    let (mut c, on_a, on_b) = outgrown();
    certify(&mut c, 4, on_a[3]);
    let other = certificate(&c, 4, on_b[3], [1, 2, 3]);
    take(&mut c, other).unwrap();
    assert_eq!(alarm(&c), Some(Alarm::Conflict { height: 4, hash: on_b[3], at: 4, finalized: on_a[3] }));
    let finality = c.engine.chain().finality().unwrap();
    assert_eq!(finality.evidence().map(Evidence::member).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(finality.refused().map(|refused| refused.hash), Some(on_a[3]));
}

// FIN-4
#[test]
fn a_refused_certificate_that_contradicts_a_followed_one_is_in_nobodys_way() {
    //  genesis - a1 ... a8        8 is refused
    //         \ b1 ... b9        4 is followed
    let (mut longer, ..) = fork(8);
    longer.mine_many(2);
    let last = longer.tip();
    let (mut a, _, b, on_b) = fork(8);
    a.now = a.now.max(longer.now);
    give_all(&b, &mut a);
    give_all(&longer, &mut a);
    assert_eq!(a.tip(), on_b[8]);
    certify(&mut a, 8, last);
    assert!(matches!(alarm(&a), Some(Alarm::TooDeep { height: 8, .. })));
    certify(&mut a, 4, on_b[3]);
    assert_eq!(finalized(&a), (4, on_b[3]));
    assert_eq!(alarm(&a), Some(Alarm::Conflict { height: 8, hash: last, at: 4, finalized: on_b[3] }));
    // It would stand for all below it, so that no other could be accepted.
    assert_eq!(a.engine.chain().finality().unwrap().refused(), None);
    assert_eq!(accept(&mut a, last), Err(AcceptError::Contradicts(last)));
}

// FIN-3
#[test]
fn a_member_whose_database_came_back_older_signs_no_second_block() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(Record::FILE);
    let mut a = Kit::with(final_spec(1, 100), MempoolConfig::default());
    let genesis = a.genesis.hash();
    Record::begin(&path, key(0).public()).unwrap();
    let open = |kit: &mut Kit, recorded: bool| {
        kit.member = Some(key(0));
        kit.record = recorded.then(|| path.clone());
        kit.restart();
    };
    // The database before it voted: there its chain is another one later.
    let mut older = [a.twin(), a.twin()];
    open(&mut a, true);
    let signed = a.mine_many(6)[3].hash();
    assert_eq!(finalized(&a), (4, signed));
    let record = Record::open(&path, key(0).public(), genesis).unwrap();
    assert_eq!(record.promise().map(|promise| (promise.height, promise.finalized)), Some((4, Some(signed))));
    for (kit, recorded) in older.iter_mut().zip([false, true]) {
        open(kit, recorded);
        let other = kit.mine_many(6)[3].hash();
        assert_ne!(other, signed);
        let round = kit.engine.chain().finality().unwrap().round();
        let said: Vec<_> = round.votes().filter_map(|vote| vote.statement.hash()).collect();
        match recorded {
            true => assert_eq!((finalized(kit).0, said), (0, vec![signed; 3]), "it says again what it said"),
            false => assert_eq!(finalized(kit), (4, other), "this is what the record is for"),
        }
    }
}
