use proptest::prelude::*;
use secp256k1::{Keypair, SecretKey};

use super::*;
use crate::{
    codec,
    hash::{BlockHash, sha256},
    spec::Finality,
    transaction::{coin::KeyBytes, sighash::SignatureCheck},
    units::Height,
};

const HEIGHT: Height = 40;
const A: BlockHash = BlockHash([0xaa; 32]);
const B: BlockHash = BlockHash([0xbb; 32]);

fn pair(member: u8) -> Keypair {
    Keypair::from_secret_key(&SecretKey::from_secret_bytes([member + 1; 32]).unwrap())
}

fn electorate(count: u8) -> Electorate {
    let key = |member| KeyBytes::of(&pair(member));
    let rules = Finality { members: (0..count).map(key).collect(), interval: 20, depth: 6, window: 100 };
    Electorate { genesis: BlockHash([1; 32]), rules }
}

fn vote(member: u8, statement: Statement) -> Vote {
    Vote::sign(&electorate(4), HEIGHT, statement, member, &pair(member))
}

fn certificate(hash: BlockHash, members: &[u8]) -> Certificate {
    let signatures = members.iter().map(|member| vote(*member, Statement::Finalize { hash }).signed).collect();
    Certificate { height: HEIGHT, hash, signatures }
}

fn lock(view: u64, hash: BlockHash, members: &[u8]) -> Lock {
    let signatures = members.iter().map(|member| vote(*member, Statement::Prepare { view, hash }).signed);
    Lock { view, hash, signatures: signatures.collect() }
}

fn change(member: u8, view: u64, prepared: Option<Lock>) -> Change {
    let summary = prepared.as_ref().map(Lock::summary);
    Change { prepared: summary, signed: vote(member, Statement::ViewChange { view, prepared }).signed }
}

fn refused(certificate: &Certificate) -> FinalityError {
    certificate.check(&electorate(4), &mut verify_each).unwrap_err()
}

fn check(vote: &Vote) -> Result<(), FinalityError> {
    vote.check(&electorate(4), &mut verify_each)
}

#[test]
fn a_quorum_is_two_thirds_and_each_member_leads_in_turn() {
    for (count, faulty, quorum) in [(1, 0, 1), (4, 1, 3), (7, 2, 5), (100, 33, 67)] {
        let rules = electorate(count).rules;
        assert_eq!((rules.count(), rules.agreement(20).faulty, rules.quorum()), (count, faulty, quorum));
    }
    let electorate = electorate(4);
    let leaders: Vec<u8> = (1..=5).map(|checkpoint| electorate.rules.leader(20 * checkpoint, 0)).collect();
    assert_eq!(leaders, [1, 2, 3, 0, 1]);
    assert_eq!([0, 1, 2, u64::MAX].map(|view| electorate.rules.leader(20, view)), [1, 2, 3, 0]);
    assert_eq!([0, 19, 20, 21].map(|height| electorate.rules.next_after(height)), [20, 20, 40, 40].map(Some));
    assert_eq!(electorate.rules.next_after(Height::MAX), None);
    assert_eq!(
        [0, 1, 20, 30, 40].map(|height| electorate.rules.is_checkpoint(height)),
        [false, false, true, false, true]
    );
}

// FIN-2
#[test]
fn a_certificate_is_signed_as_the_specification_writes_it() {
    let certificate = certificate(A, &[0, 1, 3]);
    assert_eq!(certificate.check(&electorate(4), &mut verify_each), Ok(()));
    let tag = sha256(b"Cairn/certificate");
    let message = sha256(&[&tag[..], &tag, &[1; 32], &HEIGHT.to_le_bytes(), &A.0].concat());
    let signed = certificate.signatures[2];
    let key = electorate(4).rules.members[3];
    assert!(SignatureCheck { key, message, signature: signed.signature }.verify());
    let bytes = codec::encode(&certificate);
    assert_eq!(bytes.len(), 1 + 32 + 1 + 3 * 65);
    assert_eq!(codec::decode(&bytes), Ok(certificate));
}

// FIN-2
#[test]
fn a_certificate_that_breaks_a_rule_is_refused_with_that_rule() {
    let good = certificate(A, &[0, 1, 2]);
    let with = |change: fn(&mut Certificate)| {
        let mut bad = good.clone();
        change(&mut bad);
        refused(&bad)
    };
    assert_eq!(with(|bad| bad.height = 0), FinalityError::Height { got: 0, interval: 20 });
    assert_eq!(with(|bad| bad.height = 41), FinalityError::Height { got: 41, interval: 20 });
    assert_eq!(with(|bad| _ = bad.signatures.pop()), FinalityError::Count { got: 2, expected: 3 });
    assert_eq!(refused(&certificate(A, &[0, 1, 2, 3])), FinalityError::Count { got: 4, expected: 3 });
    assert_eq!(with(|bad| bad.signatures[2].member = 4), FinalityError::Foreign { member: 4, members: 4 });
    assert_eq!(refused(&certificate(A, &[0, 1, 1])), FinalityError::Order(1));
    assert_eq!(refused(&certificate(A, &[1, 0, 2])), FinalityError::Order(0));
    assert_eq!(with(|bad| bad.signatures[1].signature.0[63] ^= 1), FinalityError::Signature(1));
    assert_eq!(with(|bad| bad.hash = B), FinalityError::Signature(0));
    assert_eq!(with(|bad| bad.height = 60), FinalityError::Signature(0));
    let other = Electorate { genesis: BlockHash([2; 32]), ..electorate(4) };
    assert_eq!(good.check(&other, &mut verify_each), Err(FinalityError::Signature(0)), "signed for another chain");
}

// FIN-2
#[test]
fn a_vote_for_one_thing_is_none_for_another() {
    let (view, hash) = (3, A);
    let statements = [
        Statement::Prepare { view, hash },
        Statement::Commit { view, hash },
        Statement::Finalize { hash },
        Statement::ViewChange { view, prepared: None },
        Statement::Prepare { view: 4, hash },
        Statement::Prepare { view, hash: B },
    ];
    for (index, statement) in statements.iter().enumerate() {
        let vote = vote(2, statement.clone());
        assert_eq!(check(&vote), Ok(()));
        for other in statements.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, other)| other) {
            assert_eq!(check(&Vote { statement: other.clone(), ..vote.clone() }), Err(FinalityError::Signature(2)));
        }
        assert_eq!(check(&Vote { height: 60, ..vote.clone() }), Err(FinalityError::Signature(2)));
        assert_eq!(check(&Vote { height: 50, ..vote.clone() }), Err(FinalityError::Height { got: 50, interval: 20 }));
        let signed = Signed { member: 4, ..vote.signed };
        assert_eq!(check(&Vote { signed, ..vote }), Err(FinalityError::Foreign { member: 4, members: 4 }));
    }
}

#[test]
fn a_view_change_proves_what_was_prepared() {
    let leave = |prepared| check(&vote(0, Statement::ViewChange { view: 2, prepared: Some(prepared) }));
    assert_eq!(leave(lock(1, A, &[0, 1, 2])), Ok(()));
    assert_eq!(leave(lock(2, A, &[0, 1, 2])), Err(FinalityError::LateLock { got: 2, view: 2 }));
    assert_eq!(leave(lock(1, A, &[0, 1])), Err(FinalityError::Count { got: 2, expected: 3 }));
    assert_eq!(leave(lock(1, A, &[0, 1, 1])), Err(FinalityError::Order(1)));
    assert_eq!(leave(Lock { hash: B, ..lock(1, A, &[0, 1, 2]) }), Err(FinalityError::Signature(0)));
    assert_eq!(leave(Lock { view: 0, ..lock(1, A, &[0, 1, 2]) }), Err(FinalityError::Signature(0)));
    assert_eq!(check(&vote(0, Statement::ViewChange { view: 0, prepared: None })), Err(FinalityError::FirstView));
}

#[test]
fn views_are_bounded() {
    let (leave, most) = (|view| check(&vote(0, Statement::ViewChange { view, prepared: None })), u64::from(u32::MAX));
    assert_eq!(leave(most), Ok(()));
    assert_eq!(leave(1 << 32), Err(FinalityError::FarView { got: 1 << 32, most }));
    let far = vote(0, Statement::Prepare { view: u64::MAX, hash: A });
    assert_eq!(check(&far), Err(FinalityError::FarView { got: u64::MAX, most }));
}

#[test]
fn a_new_view_goes_on_with_what_was_prepared_last() {
    // View 3 of height 40 is led by (2 + 3) mod 4 = 1.
    let (older, newer) = (lock(0, A, &[0, 1, 2]), lock(1, B, &[1, 2, 3]));
    let changes = vec![change(0, 3, Some(older.clone())), change(2, 3, Some(newer.clone())), change(3, 3, None)];
    let begin = |changes: &[Change], prepared| {
        check(&vote(1, Statement::NewView { view: 3, changes: changes.to_vec(), prepared }))
    };
    assert_eq!(begin(&changes, Some(newer.clone())), Ok(()));
    assert_eq!(begin(&changes, Some(older)), Err(FinalityError::WrongLock));
    assert_eq!(begin(&changes, None), Err(FinalityError::WrongLock));
    assert_eq!(begin(&changes[..2], Some(newer.clone())), Err(FinalityError::Count { got: 2, expected: 3 }));
    let nothing = [0, 2, 3].map(|member| change(member, 3, None));
    assert_eq!(begin(&nothing, None), Ok(()));
    assert_eq!(begin(&nothing, Some(newer.clone())), Err(FinalityError::WrongLock));
    let of_another_view = [0, 2, 3].map(|member| change(member, 2, None));
    assert_eq!(begin(&of_another_view, None), Err(FinalityError::Signature(0)));
    let by_another = vote(2, Statement::NewView { view: 3, changes, prepared: Some(newer) });
    assert_eq!(check(&by_another), Err(FinalityError::NotLeader { member: 2, view: 3, leader: 1 }));
    assert_eq!(by_another.cost(), 1 + 3 + 3);
}

/// The signatures that a check has verified, one number for each call; all are taken for valid.
fn verified(vote: &Vote, is_valid: bool) -> Vec<usize> {
    let mut calls = Vec::new();
    let _ = vote.check(&electorate(4), &mut |checks| {
        calls.push(checks.len());
        vec![is_valid; checks.len()]
    });
    calls
}

#[test]
fn a_proof_is_verified_only_once_the_member_itself_has_signed() {
    let lock = lock(1, A, &[0, 1, 2]);
    let changes: Vec<Change> = [0, 2, 3].map(|member| change(member, 3, Some(lock.clone()))).into();
    let begin = vote(1, Statement::NewView { view: 3, changes, prepared: Some(lock.clone()) });
    assert_eq!(verified(&begin, true), [1, 6]);
    assert_eq!(verified(&begin, false), [1], "who forges a vote does not have its proof verified");
    // What needs no signature to be seen is seen before any is verified.
    let late = vote(0, Statement::ViewChange { view: 1, prepared: Some(lock) });
    assert!(verified(&late, true).is_empty());
    assert!(verified(&vote(0, Statement::ViewChange { view: 0, prepared: None }), true).is_empty());
}

// FIN-4
#[test]
fn two_certificates_for_one_height_name_f_plus_1_members() {
    let (one, other) = (certificate(A, &[0, 1, 2]), certificate(B, &[1, 2, 3]));
    let evidence = Evidence::of_certificates(&one, &other);
    assert_eq!(evidence.iter().map(Evidence::member).collect::<Vec<_>>(), [1, 2]);
    assert!(evidence.iter().all(|evidence| evidence.check(&electorate(4), &mut verify_each) == Ok(())));
    assert!(Evidence::of_certificates(&one, &certificate(A, &[1, 2, 3])).is_empty(), "the same block");
}

#[test]
fn evidence_that_proves_nothing_is_refused() {
    let refused = |first: &Vote, second: &Vote| {
        Evidence { first: first.clone(), second: second.clone() }.check(&electorate(4), &mut verify_each).unwrap_err()
    };
    let prepare = |member, view, hash| vote(member, Statement::Prepare { view, hash });
    let first = prepare(2, 1, A);
    assert_eq!(Evidence::of(&first, &prepare(2, 1, B)).unwrap().check(&electorate(4), &mut verify_each), Ok(()));
    assert_eq!(refused(&first, &prepare(3, 1, B)), FinalityError::Members(2, 3));
    assert_eq!(refused(&first, &prepare(2, 2, B)), FinalityError::Places, "another view may need another block");
    assert_eq!(refused(&first, &vote(2, Statement::Commit { view: 1, hash: B })), FinalityError::Places);
    assert_eq!(refused(&first, &first), FinalityError::Agree);
    let leave = |prepared| vote(2, Statement::ViewChange { view: 3, prepared });
    assert_eq!(refused(&leave(None), &leave(Some(lock(1, A, &[0, 1, 2])))), FinalityError::Agree);
    let forged = Vote { statement: Statement::Prepare { view: 1, hash: B }, ..first.clone() };
    assert_eq!(refused(&first, &forged), FinalityError::Signature(2));
    assert_eq!(Evidence::of(&first, &first), None);
}

proptest! {
    // FIN-2
    #[test]
    fn any_changed_byte_of_a_certificate_makes_it_none(at in 0_usize..229, bit in 0_u32..8) {
        let good = certificate(A, &[0, 1, 2]);
        let mut bytes = codec::encode(&good);
        bytes[at] ^= 1 << bit;
        let decoded = codec::decode::<Certificate>(&bytes);
        prop_assert!(decoded.is_err() || decoded.unwrap().check(&electorate(4), &mut verify_each).is_err());
    }

    #[test]
    fn garbage_decodes_to_nothing_or_to_itself(bytes: Vec<u8>) {
        if let Ok(vote) = codec::decode::<Vote>(&bytes) {
            prop_assert_eq!(codec::encode(&vote), bytes);
        }
    }
}

#[test]
fn longer_lists_than_a_quorum_of_the_largest_group_are_not_decoded() {
    let signed = certificate(A, &[0]).signatures[0];
    let of = |count| Certificate { height: 20, hash: A, signatures: vec![signed; count] };
    assert!(codec::decode::<Certificate>(&codec::encode(&of(67))).is_ok());
    assert!(codec::decode::<Certificate>(&codec::encode(&of(68))).is_err());
}
