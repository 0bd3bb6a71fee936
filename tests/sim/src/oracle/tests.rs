//! The oracle sees what must not be: chains and books that no sound engine makes.

use chain_core::{
    Address,
    block::header::Header,
    transaction::{coin::Output, coinbase::Coinbase},
    units::{Amount, WEI_PER_GRAIN},
};

use super::*;
use crate::{
    chain::{COIN, Rules},
    traffic::{first_coin, pay_coin},
};

/// An oracle that is shown blocks one by one.
struct Show {
    oracle: Oracle,
    chain: Arc<Chain>,
    shown: u32,
}

impl Show {
    fn new() -> Self {
        let chain = Chain::of(Rules::default());
        Self { oracle: Oracle::new(chain.clone()), chain, shown: 0 }
    }

    /// A block on another, with these transactions behind its coinbase.
    fn block(&mut self, on: BlockHash, others: Vec<Transaction>) -> (BlockHash, Judgement) {
        self.shown += 1;
        let height = self.oracle.facts(&on).map_or(0, |facts| facts.height) + 1;
        let coinbase = Coinbase {
            height,
            beneficiary: Address::ZERO,
            outputs: vec![Output { amount: COIN, lock: self.chain.users[0].lock }],
            state_root: ROOT,
            receipts_root: B256::ZERO,
            coins_root: B256::ZERO,
            gas_used: 0,
            extra: self.shown.to_le_bytes().to_vec(),
        };
        let mut transactions = vec![Transaction::Coinbase(coinbase)];
        transactions.extend(others);
        let mut block = Block { header: Header { prev: on, ..self.chain.genesis.header }, transactions };
        self.chain.reroot(&mut block);
        let hash = block.hash();
        (hash, self.oracle.add(hash, height, &block, Vec::new()))
    }

    /// A payment of a coin of genesis, by how much the payer keeps.
    fn payment(&self, coin: usize, kept: u64) -> Transaction {
        let (user, chain) = (&self.chain.users[0], &self.chain);
        let (outpoint, coin) = first_coin(chain, 0, coin);
        let outputs = vec![Output { amount: Amount::from_grains(kept), lock: user.lock }];
        Transaction::Coin(pay_coin(&chain.hash, user, outpoint, coin, outputs))
    }

    /// Books in which nothing was minted or burned since genesis.
    fn print(&self) -> Print {
        let coins: u64 = self.chain.spec.alloc_coins.iter().map(|output| output.amount.grains()).sum();
        let minted = self.chain.spec.allocated();
        let account_wei = minted - Amount::from_grains(coins).to_wei();
        let totals = Totals { coin_grains: Amount::from_grains(coins), account_wei, minted, ..Totals::default() };
        Print { totals, coins: B256::ZERO, accounts: ROOT, base_fee: 7, bits: 1, work: U256::ONE }
    }
}

/// What all coinbases here commit to.
const ROOT: B256 = B256::repeat_byte(0x0e);

fn broken(judgement: Judgement) -> Option<Invariant> {
    judgement.err().map(|violation| violation.invariant)
}

#[test]
fn a_coin_spent_twice_on_a_chain_is_reported_and_on_two_branches_is_not() {
    let mut show = Show::new();
    let (one, other) = (show.payment(0, 1_000), show.payment(0, 2_000));
    let (first, judgement) = show.block(show.chain.hash, vec![one]);
    assert_eq!(judgement, Ok(()));
    assert_eq!(show.block(show.chain.hash, vec![other.clone()]).1, Ok(()));
    let (middle, _) = show.block(first, Vec::new());
    assert_eq!(broken(show.block(middle, vec![other]).1), Some(Invariant::Coins));
}

#[test]
fn two_transactions_of_a_block_that_spend_one_coin_are_reported() {
    let mut show = Show::new();
    let both = vec![show.payment(0, 1_000), show.payment(0, 2_000)];
    assert_eq!(broken(show.block(show.chain.hash, both).1), Some(Invariant::Coins));
    let apart = vec![show.payment(1, 1_000), show.payment(2, 2_000)];
    assert_eq!(show.block(show.chain.hash, apart).1, Ok(()));
}

#[test]
fn a_coin_that_nobody_made_is_reported_as_is_one_of_another_branch() {
    let mut show = Show::new();
    let parent = show.payment(0, 1_000);
    let (outpoint, coin) = (OutPoint { txid: parent.txid(), index: 0 }, first_coin(&show.chain, 0, 0).1);
    let spend = |index: u32| {
        let (user, outpoint) = (&show.chain.users[0], OutPoint { index, ..outpoint });
        Transaction::Coin(pay_coin(&show.chain.hash, user, outpoint, coin, Vec::new()))
    };
    let (child, beyond) = (spend(0), spend(1));
    let (made, _) = show.block(show.chain.hash, vec![parent]);
    assert_eq!(show.block(made, vec![child.clone()]).1, Ok(()));
    assert_eq!(broken(show.block(made, vec![beyond]).1), Some(Invariant::Coins));
    assert_eq!(broken(show.block(show.chain.hash, vec![child]).1), Some(Invariant::Coins));
}

#[test]
fn a_transaction_that_stands_twice_on_a_chain_is_reported() {
    let mut show = Show::new();
    let payment = show.payment(0, 1_000);
    let (first, _) = show.block(show.chain.hash, vec![payment.clone()]);
    assert_eq!(show.block(show.chain.hash, vec![payment.clone()]).1, Ok(()));
    assert_eq!(broken(show.block(first, vec![payment]).1), Some(Invariant::Transactions));
}

#[test]
fn a_block_on_nothing_is_reported() {
    let mut show = Show::new();
    assert_eq!(broken(show.block(BlockHash([9; 32]), Vec::new()).1), Some(Invariant::Tip));
}

#[test]
fn money_out_of_nothing_is_reported() {
    let mut show = Show::new();
    let (hash, _) = show.block(show.chain.hash, Vec::new());
    let tip = BlockRef { height: 1, hash };
    let sound = show.print();
    let with = |change: &dyn Fn(&mut Totals)| {
        let mut print = sound;
        change(&mut print.totals);
        print
    };
    // One grain that nobody minted; one that was minted and is nowhere; more minted than a block may.
    let made = with(&|totals| totals.coin_grains = Amount::from_grains(totals.coin_grains.grains() + 1));
    let lost = with(&|totals| totals.minted += U256::from(WEI_PER_GRAIN));
    let claims = |grains: u64| {
        with(&|totals| {
            totals.coin_grains = Amount::from_grains(totals.coin_grains.grains() + grains);
            totals.minted += Amount::from_grains(grains).to_wei();
        })
    };
    let most = u64::try_from(show.chain.spec.minted_until(1)).unwrap();
    let (greedy, legal) = (claims(most + 1), claims(most));
    for print in [made, lost, greedy] {
        assert_eq!(broken(show.oracle.check_print(tip, print)), Some(Invariant::Supply), "{print:?}");
    }
    assert_eq!(show.oracle.check_print(tip, legal), Ok(()));
}

#[test]
fn equal_tips_with_different_states_are_reported() {
    let mut show = Show::new();
    let (hash, _) = show.block(show.chain.hash, Vec::new());
    let tip = BlockRef { height: 1, hash };
    let print = show.print();
    assert_eq!(show.oracle.check_print(tip, print), Ok(()));
    assert_eq!(show.oracle.check_print(tip, print), Ok(()), "a second node");
    let others = [
        Print { coins: B256::repeat_byte(1), ..print },
        Print { base_fee: 8, ..print },
        Print { work: U256::ZERO, ..print },
    ];
    for other in others {
        assert_eq!(broken(show.oracle.check_print(tip, other)), Some(Invariant::State));
    }
    let unknown = BlockRef { height: 1, hash: BlockHash([3; 32]) };
    assert_eq!(broken(show.oracle.check_print(unknown, print)), Some(Invariant::Tip));
}

#[test]
fn a_state_that_its_coinbase_does_not_commit_to_is_reported() {
    let mut show = Show::new();
    let (hash, _) = show.block(show.chain.hash, Vec::new());
    let print = Print { accounts: B256::ZERO, ..show.print() };
    assert_eq!(broken(show.oracle.check_print(BlockRef { height: 1, hash }, print)), Some(Invariant::State));
}

#[test]
fn branches_are_apart_by_the_blocks_that_they_do_not_share() {
    let mut show = Show::new();
    // genesis - fork - one
    //              \ - two - three
    let (fork, _) = show.block(show.chain.hash, Vec::new());
    let (one, _) = show.block(fork, Vec::new());
    let (two, _) = show.block(fork, Vec::new());
    let (three, _) = show.block(two, Vec::new());
    let apart = |a, b| show.oracle.apart(a, b);
    assert_eq!([apart(one, three), apart(three, one), apart(fork, three), apart(three, three)], [1, 2, 0, 0]);
}

#[test]
fn two_blocks_that_are_final_at_one_height_are_reported() {
    let mut show = Show::new();
    let (one, other) = (BlockHash([1; 32]), BlockHash([2; 32]));
    for (height, hash) in [(4, one), (8, other), (4, one)] {
        assert_eq!(show.oracle.finalize(height, hash), Ok(()), "{height}");
    }
    for (height, hash) in [(4, other), (8, one)] {
        assert_eq!(broken(show.oracle.finalize(height, hash)), Some(Invariant::Finality), "{height}");
    }
}
