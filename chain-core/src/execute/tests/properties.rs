//! Chains of random blocks of all kinds of transactions, legal and not.

use super::lab::*;
use crate::{
    account::Fields,
    coin::{Coin, Lock, OutPoint, Output},
    execute::{BlockBuilder, GATEWAY, undo_block, withdraw_calldata},
    state::{BlockUndo, MemoryState},
    transaction::Transaction,
    units::{Amount, WEI_PER_GRAIN},
};
use alloy_primitives::{Address, U256};
use proptest::{collection::vec, prelude::*, sample::Index};

/// Something to try; most of it is legal.
#[derive(Clone, Debug)]
enum Action {
    /// Spends coins, a fee aside, to as many outputs as there are shares.
    Spend { coins: Vec<Index>, shares: Vec<(u8, u8)>, fee: u64 },
    /// Moves up to 2 CRN.
    Transfer { from: u8, to: u8, wei: u64, gas: u64, skip: bool },
    /// Withdraws grains, sometimes with a fraction or too little gas.
    Withdraw { from: u8, grains: u64, wei: u64, gas: u64 },
    /// Repeats a transaction of the block.
    Repeat(Index),
}

fn action() -> impl Strategy<Value = Action> {
    let spend = (vec(any::<Index>(), 1..4), vec((1..=u8::MAX, 0..5_u8), 1..4), 1_000..60_000_u64);
    let gas = prop_oneof![3 => Just(100_000_u64), 1 => 20_000..50_000_u64];
    let transfer = (1..4_u8, 1..6_u8, 0..2_000_000_000_000_000_000_u64, gas.clone(), prop::bool::weighted(0.1));
    let grains = prop_oneof![0..3_u64, 0..400_000_000_u64];
    let wei = prop_oneof![4 => Just(0), 1 => 1..WEI_PER_GRAIN];
    prop_oneof![
        4 => spend.prop_map(|(coins, shares, fee)| Action::Spend { coins, shares, fee }),
        3 => transfer.prop_map(|(from, to, wei, gas, skip)| Action::Transfer { from, to, wei, gas, skip }),
        3 => (1..4_u8, grains, wei, gas).prop_map(|(from, grains, wei, gas)| Action::Withdraw { from, grains, wei, gas }),
        1 => any::<Index>().prop_map(Action::Repeat),
    ]
}

/// What a block under way leaves to spend and to count.
struct Wallet {
    coins: Vec<(OutPoint, Coin)>,
    nonces: [u64; 4],
    accepted: Vec<Transaction>,
}

impl Wallet {
    fn of(state: &MemoryState) -> Self {
        let own = state.coins.iter().filter(|(_, coin)| coin.output.lock == lock(1));
        let nonce = |number: usize| state.accounts.get(&address(number as u8)).map_or(0, |account| account.nonce);
        Self {
            coins: own.map(|(outpoint, coin)| (*outpoint, *coin)).collect(),
            nonces: [0, nonce(1), nonce(2), nonce(3)],
            accepted: Vec::new(),
        }
    }

    fn transaction(&self, lab: &Lab, action: &Action) -> Option<Transaction> {
        match action {
            Action::Spend { coins, shares, fee } => self.spend(lab, coins, shares, *fee),
            Action::Transfer { from, to, wei, gas, skip } => {
                let nonce = self.nonces[*from as usize] + u64::from(*skip);
                let to = if *to == 5 { BENEFICIARY } else { address(*to) };
                Some(signed(*from, Fields { gas_limit: *gas, ..fields(nonce, to, U256::from(*wei)) }))
            }
            Action::Withdraw { from, grains, wei, gas } => {
                let value = Amount(*grains).to_wei() + U256::from(*wei);
                let fields = fields(self.nonces[*from as usize], GATEWAY, value);
                Some(signed(*from, Fields { input: withdraw_calldata(&lock(1)), gas_limit: *gas, ..fields }))
            }
            Action::Repeat(index) => (!self.accepted.is_empty()).then(|| index.get(&self.accepted).clone()),
        }
    }

    fn spend(&self, lab: &Lab, coins: &[Index], shares: &[(u8, u8)], fee: u64) -> Option<Transaction> {
        if self.coins.is_empty() {
            return None;
        }
        let spent: Vec<(OutPoint, Coin)> = coins.iter().map(|index| *index.get(&self.coins)).collect();
        let available: u64 = spent.iter().map(|(_, coin)| coin.output.amount.0).sum();
        let whole: u64 = shares.iter().map(|(share, _)| u64::from(*share)).sum();
        let part = available.saturating_sub(fee) / whole;
        let lock = |kind: u8| match kind {
            0 | 1 => lock(1),
            2 => lock(2),
            3 => Lock::Account(address(1)),
            _ => Lock::Account(Address::repeat_byte(kind)),
        };
        let outputs: Vec<Output> =
            shares.iter().map(|(share, kind)| output(part * u64::from(*share), lock(*kind))).collect();
        Some(Transaction::Coin(lab.spend(&spent, &outputs)))
    }

    /// Counts what the block accepted.
    fn accept(&mut self, lab: &Lab, transaction: Transaction) {
        match &transaction {
            Transaction::Coin(tx) => {
                self.coins.retain(|(outpoint, _)| !tx.inputs.contains(outpoint));
                let made = (0..tx.outputs.len() as u32).map(|index| lab.made(tx, index));
                self.coins.extend(made.filter(|(_, coin)| coin.output.lock == lock(1)));
            }
            Transaction::Account(_) => {
                let from = sender(&transaction).unwrap();
                let number = (1..4_u8).find(|number| address(*number) == from).unwrap();
                self.nonces[number as usize] += 1;
            }
            Transaction::Coinbase(_) => {}
        }
        self.accepted.push(transaction);
    }
}

/// Builds a block of whatever of the actions is accepted.
fn build(lab: &Lab, actions: &[Action]) -> Result<Vec<Transaction>, TestCaseError> {
    let mut wallet = Wallet::of(&lab.state);
    let mut builder = BlockBuilder::new(&lab.spec, lab.context.clone(), &lab.state, BENEFICIARY).unwrap();
    for action in actions {
        let Some(transaction) = wallet.transaction(lab, action) else { continue };
        let (gas, bytes) = builder.room();
        match builder.push(&transaction, sender(&transaction)) {
            Ok(_) => wallet.accept(lab, transaction),
            Err(error) => {
                rule(error);
                prop_assert_eq!(builder.room(), (gas, bytes));
            }
        }
    }
    let (transactions, built) = builder.finish(lock(1), vec![1, 2, 3]).unwrap();
    let executed = lab.execute(transactions).unwrap();
    prop_assert_eq!(format!("{built:?}"), format!("{:?}", executed.effects()));
    Ok(wallet.accepted)
}

fn genesis() -> Lab {
    let mut lab = Lab::new();
    lab.spec.coinbase_maturity = 2;
    lab.spec.gas_limit = 400_000;
    for number in 1..4 {
        lab.fund(number, crn(3));
        lab.coin(300_000_000 * u64::from(number));
    }
    lab
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    // CB-3, AMT-1, ST-1, ST-2
    #[test]
    fn blocks_build_execute_keep_the_supply_and_can_all_be_taken_back(chain in vec(vec(action(), 0..10), 1..5)) {
        let mut lab = genesis();
        let first = lab.state.clone();
        let mut supply = first.supply();
        let mut undos: Vec<BlockUndo> = Vec::new();
        for actions in &chain {
            let accepted = build(&lab, actions)?;
            let executed = lab.connect(&accepted);
            supply = supply + executed.effects().minted - executed.effects().burned;
            undos.push(executed.effects().undo());
        }
        prop_assert_eq!(lab.state.supply(), supply);
        prop_assert_eq!(lab.state.state_root(), rebuilt_state_root(&lab.state));
        for undo in undos.iter().rev() {
            let reversal = undo_block(&lab.state, undo).unwrap();
            lab.state.revert(undo, &reversal);
            prop_assert_eq!(lab.state.state_root(), reversal.state_root);
        }
        lab.state.codes = first.codes.clone();
        prop_assert_eq!(lab.state, first);
    }
}
