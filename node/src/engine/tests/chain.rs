//! Fork choice, reorganisations, invalid branches.

use chain_core::{error::RuleError, transaction::Transaction, units::Amount};

use super::kit::{FEE, Kit, made, pay, reroot, solved};
use crate::{
    engine::{BlockOutcome, NodeEvent, SubmitBlockError, TipStatus},
    store::BlockRef,
};

fn connected(disconnected: u32) -> BlockOutcome {
    BlockOutcome::Connected { disconnected }
}

fn rule(error: SubmitBlockError) -> RuleError {
    match error {
        SubmitBlockError::Rule(rule) => rule,
        other => panic!("not a broken rule but {other:?}"),
    }
}

// HDR-6
//
//     G -- a1 -- a2            a2 holds a payment
//      \-- b1 -- b2 -- b3
#[test]
fn follows_the_heavier_branch_and_mines_again_what_it_left_behind() {
    let mut kit = Kit::new();
    let mut twin = kit.twin();
    let payment = kit.send(0, FEE);
    let call = kit.transfer(1, 0, 2);
    let a1 = kit.mine();
    kit.submit(&payment).unwrap();
    kit.submit(&call).unwrap();
    let a2 = kit.mine();
    assert!(kit.pooled().is_empty());

    let branch = twin.mine_many(3);
    assert_eq!(kit.take(branch[0].clone()).unwrap(), BlockOutcome::SideBranch);
    assert_eq!(kit.take(branch[1].clone()).unwrap(), BlockOutcome::SideBranch, "the first seen wins a tie");
    assert_eq!((kit.tip(), kit.height()), (a2, 2));
    kit.events.clear();
    assert_eq!(kit.take(branch[2].clone()).unwrap(), connected(2));

    assert_eq!((kit.tip(), kit.height()), (twin.tip(), 3));
    assert!(kit.is_pooled(&payment) && kit.is_pooled(&call));
    let Some(NodeEvent::NewTip { info, disconnected, connected, .. }) = kit.events.first() else { panic!() };
    assert_eq!((info.hash, &**disconnected), (twin.tip(), &[a2, a1][..]));
    assert_eq!(**connected, branch.iter().map(|block| block.hash()).collect::<Vec<_>>()[..]);

    kit.mine();
    assert!(kit.pooled().is_empty());
    assert_eq!(kit.block_at(4).transactions.len(), 3);
}

// HDR-6
#[test]
fn goes_back_and_forth_between_branches_of_any_depth() {
    let mut kit = Kit::new();
    let mut twin = kit.twin();
    let (mut ours, mut theirs) = (kit.mine_many(3), Vec::new());
    for round in 0..4 {
        theirs = twin.mine_many(4);
        theirs.iter().for_each(|block| drop(kit.take(block.clone())));
        assert_eq!(kit.tip(), twin.tip(), "round {round}");
        let more = kit.twin().mine_many(0);
        assert!(more.is_empty());
        ours = kit.mine_many(1);
        ours.iter().for_each(|block| drop(twin.take(block.clone())));
        assert_eq!(kit.tip(), twin.tip(), "round {round}");
    }
    assert_eq!((ours.len(), theirs.len()), (1, 4));
}

//     G -- a1 -- a2                  a2 holds a payment
//      \-- b1 -- b2 -- b3            b2 claims one grain too much
//       \          \-- (c3)          a child of it, handed in later
#[test]
fn falls_back_to_the_best_valid_branch() {
    let mut kit = Kit::new();
    let mut twin = kit.twin();
    let payment = kit.send(0, FEE);
    kit.mine();
    kit.submit(&payment).unwrap();
    let a2 = kit.mine();

    let b1 = twin.mine_many(1).remove(0);
    let mut b2 = twin.block_with(|transactions| {
        let Transaction::Coinbase(coinbase) = &mut transactions[0] else { panic!() };
        coinbase.outputs[0].amount = Amount::from_grains(coinbase.outputs[0].amount.grains() + 1);
    });
    let mut b3 = b2.clone();
    b3.header.prev = b2.hash();
    b3.header.time += 1;
    let b3 = reroot(&kit.spec, b3);

    assert_eq!(kit.take(b1.clone()).unwrap(), BlockOutcome::SideBranch);
    assert_eq!(kit.take(b2.clone()).unwrap(), BlockOutcome::SideBranch, "not executed as long as it is not better");
    let refused = kit.take(b3.clone()).unwrap_err();
    assert!(matches!(refused, SubmitBlockError::KnownInvalid(hash) if hash == b3.hash()), "{refused:?}");
    assert_eq!((kit.tip(), kit.height()), (a2, 2));
    assert!(kit.pooled().is_empty(), "the payment is mined, not pooled");
    assert!(matches!(kit.take(b2.clone()).unwrap_err(), SubmitBlockError::KnownInvalid(hash) if hash == b2.hash()));

    // A new block on the invalid one is refused by its parent, one on the valid b1 is not.
    let mut c3 = b3;
    c3.header.time += 1;
    let c3 = solved(&kit.spec, c3);
    assert!(matches!(kit.take(c3).unwrap_err(), SubmitBlockError::KnownInvalid(hash) if hash == b2.hash()));
    b2 = twin.mine_many(1).remove(0);
    let b3 = twin.mine_many(1).remove(0);
    assert_eq!(kit.take(b2).unwrap(), BlockOutcome::SideBranch);
    assert_eq!(kit.take(b3).unwrap(), connected(2));

    // All of that outlives a restart.
    let tips = kit.engine.chain().tips(usize::MAX);
    kit.restart();
    assert_eq!(kit.engine.chain().tips(usize::MAX), tips);
    let statuses: Vec<_> = tips.iter().map(|tip| (tip.height, tip.branch_length, tip.status)).collect();
    assert_eq!(statuses, [(3, 0, TipStatus::Active), (3, 2, TipStatus::Invalid), (2, 2, TipStatus::ValidFork)]);
}

// CB-3
#[test]
fn refuses_an_invalid_block_on_the_tip_and_says_why() {
    let mut kit = Kit::new();
    let tip = kit.mine();
    let mut claimed = Amount::ZERO;
    let greedy = kit.block_with(|transactions| {
        let Transaction::Coinbase(coinbase) = &mut transactions[0] else { panic!() };
        claimed = coinbase.outputs[0].amount;
        coinbase.outputs[0].amount = Amount::from_grains(coinbase.outputs[0].amount.grains() + 1);
    });
    let at = BlockRef { height: 2, hash: greedy.hash() };
    let refused = rule(kit.take(greedy.clone()).unwrap_err());
    assert_eq!(
        refused,
        RuleError::CoinbaseTooGreedy { got: Amount::from_grains(claimed.grains() + 1), allowed: claimed }
    );
    assert_eq!(kit.tip(), tip);
    assert_eq!(kit.engine.store().body(at).unwrap(), None, "bodies of invalid blocks fill no disk");
    let refused = kit.take(greedy).unwrap_err();
    assert!(matches!(refused, SubmitBlockError::KnownInvalid(hash) if hash == at.hash));
    kit.mine();
}

// COIN-7
#[test]
fn refuses_two_transactions_of_one_block_that_spend_one_coin() {
    let mut kit = Kit::new();
    let (first, second) = (kit.send(0, FEE), kit.send(0, 2 * FEE));
    let double = kit.block_with(|transactions| {
        transactions.push(Transaction::Coin(first.clone()));
        transactions.push(Transaction::Coin(second));
    });
    assert_eq!(rule(kit.take(double).unwrap_err()), RuleError::MissingCoin(first.inputs[0]));
    assert_eq!(kit.height(), 0);
    kit.submit(&first).unwrap();
    kit.mine();
    assert_eq!(kit.block_at(1).transactions.len(), 2);
}

// BLK-3: CVE-2012-2459
#[test]
fn a_body_that_does_not_match_says_nothing_about_the_header() {
    let mut kit = Kit::new();
    kit.submit(&kit.send(0, FEE)).unwrap();
    let honest = kit.block_with(|_| {});
    let mut repeated = honest.clone();
    repeated.transactions.push(repeated.transactions[1].clone());
    assert_eq!(repeated.hash(), honest.hash());
    assert!(matches!(rule(kit.take(repeated.clone()).unwrap_err()), RuleError::MerkleRoot { .. }));
    assert!(matches!(rule(kit.take(repeated).unwrap_err()), RuleError::MerkleRoot { .. }));
    let mut cut = honest.clone();
    cut.transactions.pop();
    assert!(matches!(rule(kit.take(cut).unwrap_err()), RuleError::MerkleRoot { .. }));
    assert_eq!(kit.take(honest.clone()).unwrap(), connected(0));
    assert_eq!(kit.take(honest).unwrap(), BlockOutcome::Known);
}

// HDR-2
#[test]
fn a_header_without_work_is_refused_and_not_remembered() {
    let mut kit = Kit::new();
    let honest = kit.block_with(|_| {});
    let mut lazy = honest.clone();
    lazy.header.nonce = (0..)
        .find(|nonce| {
            lazy.header.nonce = *nonce;
            lazy.hash() != solved(&kit.spec, lazy.clone()).hash()
        })
        .unwrap();
    assert!(matches!(rule(kit.take(lazy.clone()).unwrap_err()), RuleError::HashAboveTarget { .. }));
    assert_eq!(kit.engine.chain().tree().get(&lazy.hash()), None);
    assert_eq!(kit.take(honest).unwrap(), connected(0));
}

// HDR-6, of any depth
#[test]
fn a_reorganisation_of_a_thousand_blocks_returns_their_transactions() {
    let mut kit = Kit::with(super::kit::spec(1_000), crate::mempool::MempoolConfig::default());
    let mut twin = kit.twin();
    let mut sent = Vec::new();
    for index in 0..1_000 {
        let tx = kit.send(index, FEE);
        kit.submit(&tx).unwrap();
        sent.push(tx.txid());
        kit.mine();
    }
    // A child of a mined payment waits in the pool, and a coinbase's coin is spent, which cannot come back.
    let parent = kit.send(7, FEE);
    let child = kit.spend(2, &[made(&parent, 0)], &[pay(50_000_000, 3)]);
    kit.submit(&child).unwrap();
    let Transaction::Coinbase(coinbase) = &kit.block_at(5).transactions[0] else { panic!() };
    let reward = chain_core::transaction::coin::Coin { output: coinbase.outputs[0], height: 5, coinbase: true };
    let reward = (chain_core::transaction::coin::OutPoint { txid: coinbase.txid(), index: 1 }, reward);
    let of_coinbase = kit.spend(9, &[reward], &[pay(1_000_000, 3)]);
    kit.submit(&of_coinbase).unwrap();

    let mut outcome = None;
    for block in twin.mine_many(1_001) {
        outcome = Some(kit.take(block).unwrap());
    }
    assert_eq!(outcome, Some(connected(1_000)));
    assert_eq!(kit.tip(), twin.tip());
    sent.push(child.txid());
    sent.sort_unstable();
    assert_eq!(kit.pooled(), sent);
    kit.mine();
    assert_eq!(kit.block_at(1_002).transactions.len(), 1_002);
}

#[test]
fn what_a_reorganisation_cannot_hold_is_forgotten_from_the_top() {
    let mempool = crate::mempool::MempoolConfig { max_bytes: 12_000, ..Default::default() };
    let mut kit = Kit::with(super::kit::spec(100), mempool);
    let mut twin = kit.twin();
    let mut sent = Vec::new();
    for index in 0..50 {
        let tx = kit.send(index, FEE);
        kit.submit(&tx).unwrap();
        sent.push(tx.txid());
        kit.mine();
    }
    twin.mine_many(51).into_iter().for_each(|block| assert!(kit.take(block).is_ok()));
    assert_eq!(kit.tip(), twin.tip());
    let pooled = kit.pooled();
    assert!((1..50).contains(&pooled.len()));
    assert!(pooled.contains(&sent[0]) && !pooled.contains(&sent[49]));
}
