mod net;
mod patience;

use chain_core::{
    finality::{FinalityError, Kind, Lock, Signed, Statement, verify_each},
    hash::BlockHash,
};
use proptest::prelude::*;

use self::net::{A, B, GENESIS, Net, key, spec};
use super::*;

/// Height of the first checkpoint. Its first view is led by member 1.
const HEIGHT: Height = 10;

#[test]
fn members_that_see_one_block_finalize_it_at_once() {
    for count in [1, 4, 7] {
        let mut net = Net::new(count);
        net.run(500);
        assert_eq!(net.agreed(), Some(A), "{count} members");
        let certificate = &net.members[0].certificates[0];
        assert_eq!(certificate.check(net.members[0].finality.electorate(), &mut verify_each), Ok(()));
        assert_eq!(net.members[0].finality.round().height(), 2 * HEIGHT);
    }
}

// FIN-3
#[test]
fn nobody_votes_for_a_block_that_is_not_deep_enough_here() {
    let mut net = Net::new(4);
    net.members.iter_mut().for_each(|member| member.eligible = None);
    net.run(20_000);
    assert!(net.members.iter().all(|member| member.said.is_empty()));
    // Two of four see it: they wait in vain, but nothing is decided, and later all follow.
    net.members[1].eligible = Some(A);
    net.members[2].eligible = Some(A);
    net.run(60_000);
    assert_eq!(net.agreed(), None);
    net.members.iter_mut().for_each(|member| member.eligible = Some(A));
    net.run(120_000);
    assert_eq!(net.agreed(), Some(A));
    net.assert_nobody_contradicts_itself();
}

#[test]
fn a_dead_leader_costs_one_timeout_and_a_third_of_the_members_may_be_dead() {
    let mut net = Net::new(4);
    net.members[1].up = false;
    net.run(2_500);
    assert_eq!(net.agreed(), None);
    net.run(4_000);
    assert_eq!(net.agreed(), Some(A));
    let mut net = Net::new(7);
    net.members[1].up = false;
    net.members[2].up = false;
    net.run(20_000);
    assert_eq!(net.agreed(), Some(A));
    net.assert_nobody_contradicts_itself();
}

#[test]
fn members_that_were_down_at_different_times_meet_again() {
    // Member 0 is alone for long, then 1 and 2 come back and 3 does not; or 1 first, and 2 much later.
    for second in [0, 200_000] {
        let mut net = Net::new(4);
        [1, 2, 3].into_iter().for_each(|member| net.members[member].up = false);
        net.run(300_000);
        net.members[1].up = true;
        net.restart(1);
        net.run(second);
        net.members[2].up = true;
        net.restart(2);
        net.run(30_000);
        assert_eq!(net.agreed(), Some(A), "member 2 comes {second} ms later");
        net.assert_nobody_contradicts_itself();
    }
}

#[test]
fn a_checkpoint_begins_with_the_patience_that_the_one_before_needed() {
    // Of seven, the leaders of two views are dead.
    let mut net = Net::new(7);
    net.members[1].up = false;
    net.members[2].up = false;
    net.run(20_000);
    assert_eq!(net.agreed(), Some(A));
    [1, 2].into_iter().for_each(|member| net.members[member].up = true);
    net.run(500);
    let waits = |net: &mut Net| {
        let before = net.members[0].certificates.len();
        net.reaches = |_, _, _| false;
        net.members.iter_mut().for_each(|member| member.eligible = Some(A));
        net.step(0, true);
        let deadline = net.members[0].finality.wake_at().map(|at| at.since(net.now));
        net.reaches = |_, _, _| true;
        net.run(1_000);
        assert_eq!(net.members[0].certificates.len(), before + 1, "in the first view");
        deadline
    };
    let seen: Vec<_> = (0..4).map(|_| waits(&mut net)).collect();
    assert_eq!(seen, [12_000, 6_000, 3_000, 3_000].map(Some));
}

// FIN-3
#[test]
fn votes_that_split_between_two_blocks_finalize_neither_until_the_chains_agree() {
    let mut net = Net::new(4);
    net.members[2].eligible = Some(B);
    net.members[3].eligible = Some(B);
    net.run(60_000);
    assert_eq!(net.agreed(), None);
    net.members.iter_mut().for_each(|member| member.eligible = Some(B));
    net.run(120_000);
    assert_eq!(net.agreed(), Some(B));
    net.assert_nobody_contradicts_itself();
}

#[test]
fn a_block_that_a_quorum_accepted_is_final_even_if_all_chains_move_on() {
    // All accept A and commit to it, but no commit arrives. Then every chain has B instead.
    let mut net = Net::new(4);
    net.reaches = |_, _, statement| !matches!(statement, Statement::Commit { .. });
    net.run(1_000);
    net.members.iter_mut().for_each(|member| member.eligible = Some(B));
    net.reaches = |_, _, _| true;
    // Commits of the first view are told again, or a later view goes on with A.
    net.run(60_000);
    assert_eq!(net.agreed(), Some(A));
    net.assert_nobody_contradicts_itself();
}

#[test]
fn a_later_view_goes_on_with_what_was_prepared_though_others_never_saw_it() {
    // Members 0 to 2 accept A; then the commits are lost, and member 3 has another chain all the time.
    let mut net = Net::new(4);
    net.members[3].eligible = Some(B);
    net.reaches = |_, _, statement| !matches!(statement, Statement::Commit { view: 0, .. });
    net.run(60_000);
    assert_eq!(net.agreed(), Some(A), "member 3 votes for what a quorum accepted");
    net.assert_nobody_contradicts_itself();
}

#[test]
fn a_member_that_lost_patience_as_others_decided_is_not_left_alone() {
    // Member 3 is dead, so all others are needed. Members 0 and 1 decide in the first view; the commits do not reach member 2.
    let mut net = Net::new(4);
    net.members[3].up = false;
    net.reaches = |_, to, statement| to != 2 || !matches!(statement, Statement::Commit { view: 0, .. });
    net.run(20_000);
    assert_eq!(net.agreed(), Some(A));
    net.assert_nobody_contradicts_itself();
}

// FIN-3
#[test]
fn a_member_that_restarts_between_vote_and_send_keeps_to_its_vote() {
    for at in 0..8 {
        let mut net = Net::new(4);
        // The leader proposes A, and member 2 stops at some point, its words on disk and perhaps not sent.
        net.reaches = |from, to, statement| from != 2 && to != 2 && !matches!(statement, Statement::Commit { .. });
        net.run(500);
        let votes: Vec<Vote> = net.members[1].finality.round().votes().cloned().collect();
        votes.iter().take(at).for_each(|vote| _ = net.tell(2, vote));
        net.step(2, false);
        net.restart(2);
        // Its chain has another block now.
        net.members[2].eligible = Some(B);
        net.reaches = |_, _, _| true;
        net.run(120_000);
        net.assert_nobody_contradicts_itself();
        assert_eq!(net.agreed(), Some(A), "after {at} votes");
    }
}

#[test]
fn all_members_restart_in_the_middle_and_go_on() {
    let mut net = Net::new(4);
    net.reaches = |_, _, statement| !matches!(statement, Statement::Commit { .. } | Statement::Finalize { .. });
    net.run(10_000);
    (0..4).for_each(|member| net.restart(member));
    net.reaches = |_, _, _| true;
    net.run(120_000);
    assert_eq!(net.agreed(), Some(A));
    net.assert_nobody_contradicts_itself();
}

#[test]
fn a_member_that_called_a_block_final_calls_no_other_so() {
    let mut net = Net::new(4);
    net.reaches = |_, _, statement| !matches!(statement, Statement::Finalize { .. });
    net.run(500);
    assert!(
        net.members
            .iter()
            .all(|member| member.said.iter().any(|vote| vote.statement == Statement::Finalize { hash: A }))
    );
    (0..4).for_each(|member| net.restart(member));
    net.members.iter_mut().for_each(|member| member.eligible = Some(B));
    net.run(60_000);
    net.assert_nobody_contradicts_itself();
    net.reaches = |_, _, _| true;
    net.run(60_000);
    assert_eq!(net.agreed(), Some(A));
}

#[test]
fn a_member_whose_certificates_were_lost_is_silent_until_they_are_back() {
    let mut net = Net::new(4);
    net.run(500);
    net.members.iter_mut().for_each(|member| member.eligible = Some(B));
    net.run(500);
    assert_eq!(net.members[0].finality.height(), 2 * HEIGHT);
    let said = net.members[0].said.len();
    net.members[0].certificates.clear();
    net.restart(0);
    net.members[0].eligible = Some(B);
    net.reaches = |_, _, _| false;
    net.run(60_000);
    assert_eq!(net.members[0].said.len(), said, "it has promised something of height 20, and is asked of height 10");
}

#[test]
fn a_member_that_signs_two_blocks_is_named_and_changes_nothing() {
    let mut net = Net::new(4);
    net.members[1].up = false;
    // The leader proposes A to one half and B to the other, and votes for both everywhere.
    let (a, b) =
        (net.forge(1, Statement::Prepare { view: 0, hash: A }), net.forge(1, Statement::Prepare { view: 0, hash: B }));
    assert_eq!(net.tell(0, &a), Heard::New);
    assert_eq!(net.tell(2, &a), Heard::New);
    assert_eq!(net.tell(3, &b), Heard::New);
    assert!(matches!(net.tell(0, &b), Heard::Contradicts(evidence) if evidence.member() == 1));
    assert!(net.news(0).iter().any(|news| matches!(news, News::Evidence(_))));
    assert_eq!(net.members[0].finality.take_fresh().len(), 1);
    assert!(matches!(net.tell(0, &b), Heard::Contradicts(_)), "it is not noted twice");
    assert_eq!(net.members[0].finality.take_fresh().len(), 0);
    net.run(60_000);
    assert_eq!(net.agreed(), Some(A));
    net.assert_nobody_contradicts_itself();
}

#[test]
fn votes_for_other_checkpoints_are_not_even_verified() {
    let mut net = Net::new(4);
    let far = |height| {
        let vote = net.forge(2, Statement::Prepare { view: 0, hash: A });
        Vote { height, ..vote }
    };
    let votes: Vec<Vote> = [0, 5, 11, 30, 40, Height::MAX].map(far).into();
    for vote in votes {
        assert_eq!(net.tell(0, &vote), Heard::Old, "{}", vote.height);
    }
    let ahead = net.members[0].finality.electorate();
    let ahead = Vote::sign(ahead, 20, Statement::Prepare { view: 0, hash: B }, 2, key(2).pair());
    assert_eq!(net.tell(0, &ahead), Heard::New, "the next one may have begun elsewhere");
    net.run(500);
    assert_eq!(net.members[0].finality.round().votes().count(), 1, "and is there when it begins here");
}

#[test]
fn a_member_that_votes_without_end_is_not_listened_to() {
    let mut net = Net::new(4);
    net.members[2].up = false;
    let mut heard = Vec::new();
    for view in 1..3_000 {
        let vote = net.forge(2, Statement::ViewChange { view, prepared: None });
        heard.push(net.tell(0, &vote));
    }
    assert_eq!(heard.iter().filter(|heard| **heard == Heard::New).count(), 1_024);
    assert_eq!(*heard.last().unwrap(), Heard::Busy);
    net.run(20_000);
    assert_eq!(net.agreed(), Some(A), "the others go on");
}

#[test]
fn a_vote_of_nobody_or_with_a_wrong_signature_is_its_senders_fault() {
    let mut net = Net::new(4);
    let good = net.forge(2, Statement::Prepare { view: 0, hash: A });
    let mut of_nobody = good.clone();
    of_nobody.signed.member = 4;
    assert_eq!(net.try_tell(0, &of_nobody), Err(FinalityError::Foreign { member: 4, members: 4 }));
    let mut wrong = good;
    wrong.signed.member = 3;
    assert_eq!(net.try_tell(0, &wrong), Err(FinalityError::Signature(3)));
    let far = Vote { statement: Statement::ViewChange { view: u64::MAX, prepared: None }, ..wrong };
    let most = u64::from(u32::MAX);
    assert_eq!(net.try_tell(0, &far), Err(FinalityError::FarView { got: u64::MAX, most }));
}

#[test]
fn nobody_else_can_spend_what_is_verified_of_a_member() {
    let mut net = Net::new(4);
    let mut forged = net.forge(1, Statement::Commit { view: 0, hash: A });
    forged.signed.member = 2;
    for _ in 0..3_000 {
        assert_eq!(net.try_tell(0, &forged), Err(FinalityError::Signature(2)));
    }
    // What the member did sign can be sent with a wrong proof, which its signature does not cover.
    let prepare = Statement::Prepare { view: 0, hash: A };
    let signatures: Vec<Signed> = [0, 1, 2].map(|member| net.forge(member, prepare.clone()).signed).into();
    let leave = |signatures| Statement::ViewChange { view: 1, prepared: Some(Lock { view: 0, hash: A, signatures }) };
    let good = net.forge(2, leave(signatures.clone()));
    let [first, _, third] = signatures[..] else { panic!("three signatures") };
    let stolen = Vote { statement: leave(vec![first, Signed { member: 1, ..third }, third]), ..good.clone() };
    for _ in 0..3_000 {
        assert_eq!(net.try_tell(0, &stolen), Err(FinalityError::Signature(1)));
    }
    assert_eq!(net.tell(0, &good), Heard::New, "its own votes are heard as ever");
}

#[test]
fn votes_are_counted_once_and_again_when_a_block_is_called_final() {
    let mut net = Net::new(4);
    let votes: Vec<Vote> = (1..4).map(|member| net.forge(member, Statement::Finalize { hash: A })).collect();
    let finality = |net: &mut Net| net.members[0].finality.take_decided();
    assert_eq!(finality(&mut net), None);
    for (index, vote) in votes.iter().enumerate() {
        net.members[0].finality.decisive = false;
        net.tell(0, &net.forge(1, Statement::Prepare { view: index as u64, hash: A }));
        assert!(!net.members[0].finality.decisive, "a vote of another kind decides nothing");
        net.tell(0, vote);
        assert!(net.members[0].finality.decisive);
        assert_eq!(finality(&mut net).is_some(), index == 2);
        assert_eq!(finality(&mut net), None);
    }
}

#[test]
fn a_member_does_not_verify_what_it_signed_itself() {
    let mut net = Net::new(4);
    let vote = net.forge(0, Statement::Prepare { view: 0, hash: A });
    // Bytes that nobody signed are kept all the same.
    let signed = Signed { signature: [7; 64].into(), ..vote.signed };
    net.members[0].finality.say(Promise::new(HEIGHT), vec![Vote { signed, ..vote }]);
    assert_eq!(net.members[0].finality.round().of_kind(Kind::Prepare).count(), 1);
    // A second process with its key is noticed as any other that votes twice.
    let other = net.forge(0, Statement::Prepare { view: 0, hash: B });
    net.members[0].finality.say(Promise::new(HEIGHT), vec![other]);
    assert!(net.members[0].finality.is_accused(0));
}

#[test]
fn a_key_of_no_member_does_not_vote_and_a_chain_without_members_has_no_finality() {
    let stranger = super::MemberKey::from_bytes([99; 32]);
    let mut finality = Finality::new(&spec(4), GENESIS, stranger, Stored::default()).unwrap();
    assert_eq!((finality.member(), finality.step(Some(A), Time(0))), (None, None));
    assert!(Finality::new(&ChainSpec::local(), GENESIS, Some(key(0)), Stored::default()).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 16 } else { 64 }))]

    /// Blocks that members see change, processes restart, votes are lost: nobody contradicts itself, no two blocks are final,
    /// and in the end one is.
    #[test]
    fn whatever_happens_one_block_is_final(
        acts in prop::collection::vec((0_u8..4, 0_u8..5, 0_u64..8_000), 1..25),
        lost in 0_u8..3,
    ) {
        let mut net = Net::new(4);
        net.reaches = match lost {
            0 => |_, _, _| true,
            1 => |from, to, statement| statement.view() % 2 == 1 || from + to != 3,
            _ => |from, to, statement| !(statement.kind() == Kind::Commit && statement.view() < 2) && from != (to + 1) % 4,
        };
        for (member, act, pause) in acts {
            let state = &mut net.members[usize::from(member)];
            let is_open = state.certificates.is_empty();
            match act {
                0 if is_open => state.eligible = Some(A),
                1 if is_open => state.eligible = Some(B),
                2 => {
                    net.step(usize::from(member), false);
                    net.restart(member);
                }
                3 => net.restart(member),
                _ => {}
            }
            net.run(pause);
        }
        net.reaches = |_, _, _| true;
        let hash: BlockHash = net.members.iter().find_map(|member| Some(member.certificates.first()?.hash)).unwrap_or(A);
        for member in net.members.iter_mut().filter(|member| member.certificates.is_empty()) {
            member.eligible = Some(hash);
        }
        net.run(300_000);
        net.assert_nobody_contradicts_itself();
        prop_assert!(net.agreed().is_some());
    }
}
