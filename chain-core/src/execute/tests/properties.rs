//! Chains of random blocks of all kinds of transactions, legal and not.

use super::lab::*;
use crate::{
    execute::{BlockBuilder, GATEWAY, undo_block, withdraw_calldata},
    state::{Account, BlockUndo, MemoryState},
    transaction::{
        Transaction,
        account::Fields,
        coin::{Coin, Lock, OutPoint, Output, Witness},
        policy::{Policy, Proof, ProofItem},
    },
    units::{Amount, WEI_PER_GRAIN},
    vm::{
        opcode::*,
        tests::{
            assembler::{Program, deployer, program},
            delegation::authorize,
        },
    },
};
use alloy_primitives::{Address, Bytes, U256};
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
    /// Calls one of the contracts with two words and value.
    Call { from: u8, contract: Index, words: (u64, u64), wei: u64, gas: u64 },
    /// Creates a contract that has storage and code.
    Create { from: u8, byte: u8, gas: u64 },
    /// Delegates an account to a contract, or clears its delegation, and calls it (EIP-7702).
    Delegate { from: u8, authority: u8, contract: Option<Index>, words: (u64, u64), gas: u64 },
    /// Repeats a transaction of the block.
    Repeat(Index),
}

/// Writes a word to a slot, as the calldata says: also zero, which clears it.
const STORING: Address = Address::repeat_byte(0xd1);
/// Creates a contract that has storage and the value of the call.
const CREATING: Address = Address::repeat_byte(0xd2);
/// Creates a contract that writes storage and self-destructs at once, in favour of its creator or, if created with a
/// word, of itself.
const ENDING: Address = Address::repeat_byte(0xd3);
/// Withdraws as many grains as the calldata says, if it has them.
const WITHDRAWING: Address = Address::repeat_byte(0xd4);
/// Does what the calldata says to storage and then reverts.
const REVERTING: Address = Address::repeat_byte(0xd5);
/// Self-destructs in favour of its caller; it is older than the transaction, so it only loses its balance.
const OLD: Address = Address::repeat_byte(0xd6);
const CONTRACTS: [Address; 6] = [STORING, CREATING, ENDING, WITHDRAWING, REVERTING, OLD];

fn contract(address: Address) -> Bytes {
    let store = || program().push(32).ops(&[CALLDATALOAD]).push(0).ops(&[CALLDATALOAD, SSTORE]);
    // Memory from 0 on is initcode that is called with the value of this call.
    let create = |initcode: Program| {
        let code = initcode.code();
        program().memory(&code).push(code.len() as u64).push(0).ops(&[CALLVALUE, CREATE])
    };
    let program = match address {
        STORING => store(),
        CREATING => create(program().push(7).store(1).push(8).store(2).push(0).push(0).ops(&[RETURN])),
        ENDING => {
            let heirs = [CALLER, ADDRESS].map(|heir| create(program().push(9).store(3).ops(&[heir, SELFDESTRUCT])));
            heirs.into_iter().fold(program(), |all, one| all.ops(&one.ops(&[POP]).code()))
        }
        WITHDRAWING => {
            let calldata = withdraw_calldata(&lock(1));
            let arguments = program().memory(&calldata).push(0).push(0).push(calldata.len() as u64).push(0);
            let value = arguments.push(0).ops(&[CALLDATALOAD]).push(WEI_PER_GRAIN).ops(&[MUL]);
            value.address(GATEWAY).ops(&[GAS, CALL])
        }
        REVERTING => store().push(0).push(0).ops(&[REVERT]),
        _ => program().ops(&[CALLER, SELFDESTRUCT]),
    };
    program.code()
}

/// Spendable by key 1, or by anyone from height 1 on.
fn policy() -> Policy {
    let Lock::Key(key) = lock(1) else { unreachable!("a key's lock") };
    Policy::or([Policy::key(key), Policy::after(1)])
}

fn action() -> impl Strategy<Value = Action> {
    let spend = (vec(any::<Index>(), 1..4), vec((1..=u8::MAX, 0..9_u8), 1..4), 1_000..60_000_u64);
    let gas = prop_oneof![3 => Just(100_000_u64), 1 => 20_000..50_000_u64];
    let transfer = (1..4_u8, 1..6_u8, 0..2_000_000_000_000_000_000_u64, gas.clone(), prop::bool::weighted(0.1));
    let grains = prop_oneof![0..3_u64, 0..400_000_000_u64];
    let wei = prop_oneof![4 => Just(0), 1 => 1..WEI_PER_GRAIN];
    let words = (0..4_u64, prop_oneof![Just(0), 1..100_000_u64]);
    let value = prop_oneof![Just(0), 0..1_000_000_000_000_u64];
    let much = prop_oneof![4 => Just(400_000_u64), 1 => 21_000..120_000_u64];
    let call = (1..4_u8, any::<Index>(), words.clone(), value, much.clone());
    let delegate = (1..4_u8, 1..4_u8, proptest::option::weighted(0.8, any::<Index>()), words, much.clone());
    prop_oneof![
        4 => spend.prop_map(|(coins, shares, fee)| Action::Spend { coins, shares, fee }),
        3 => transfer.prop_map(|(from, to, wei, gas, skip)| Action::Transfer { from, to, wei, gas, skip }),
        3 => (1..4_u8, grains, wei, gas).prop_map(|(from, grains, wei, gas)| Action::Withdraw { from, grains, wei, gas }),
        6 => call.prop_map(|(from, contract, words, wei, gas)| Action::Call { from, contract, words, wei, gas }),
        1 => (1..4_u8, any::<u8>(), much).prop_map(|(from, byte, gas)| Action::Create { from, byte, gas }),
        2 => delegate.prop_map(|(from, authority, contract, words, gas)| {
            Action::Delegate { from, authority, contract, words, gas }
        }),
        1 => any::<Index>().prop_map(Action::Repeat),
    ]
}

fn is_own(coin: &Coin) -> bool {
    coin.output.lock == lock(1) || coin.output.lock == policy().lock()
}

fn calldata((first, second): (u64, u64)) -> Bytes {
    [U256::from(first), U256::from(second)].map(|word| word.to_be_bytes::<32>()).concat().into()
}

/// What a block under way leaves to spend and to count.
struct Wallet {
    coins: Vec<(OutPoint, Coin)>,
    nonces: [u64; 4],
    accepted: Vec<Transaction>,
}

impl Wallet {
    fn of(state: &MemoryState) -> Self {
        let own = state.coins.iter().filter(|(_, coin)| is_own(coin));
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
                let value = Amount::from_grains(*grains).to_wei() + U256::from(*wei);
                let fields = fields(self.nonces[*from as usize], GATEWAY, value);
                Some(signed(*from, Fields { input: withdraw_calldata(&lock(1)), gas_limit: *gas, ..fields }))
            }
            Action::Call { from, contract, words, wei, gas } => {
                let fields = fields(self.nonces[*from as usize], *contract.get(&CONTRACTS), U256::from(*wei));
                Some(signed(*from, Fields { input: calldata(*words), gas_limit: *gas, ..fields }))
            }
            Action::Create { from, byte, gas } => {
                let fields = fields(self.nonces[*from as usize], Address::ZERO, U256::from(*byte));
                let input = deployer(&[PUSH1, *byte, PUSH1, *byte, SSTORE]);
                Some(signed(*from, Fields { to: None, input, gas_limit: *gas, ..fields }))
            }
            Action::Delegate { from, authority, contract, words, gas } => {
                let nonce = self.nonces[*authority as usize] + u64::from(from == authority);
                let target = contract.map_or(Address::ZERO, |contract| *contract.get(&CONTRACTS));
                let authorizations = vec![authorize(*authority, 0, target, nonce)];
                let fields = fields(self.nonces[*from as usize], address(*authority), U256::ZERO);
                let input = calldata(*words);
                Some(signed(*from, Fields { tx_type: 4, input, gas_limit: *gas, authorizations, ..fields }))
            }
            Action::Repeat(index) => (!self.accepted.is_empty()).then(|| index.get(&self.accepted).clone()),
        }
    }

    fn spend(&self, lab: &Lab, coins: &[Index], shares: &[(u8, u8)], fee: u64) -> Option<Transaction> {
        if self.coins.is_empty() {
            return None;
        }
        let spent: Vec<(OutPoint, Coin)> = coins.iter().map(|index| *index.get(&self.coins)).collect();
        let available: u64 = spent.iter().map(|(_, coin)| coin.output.amount.grains()).sum();
        let whole: u64 = shares.iter().map(|(share, _)| u64::from(*share)).sum();
        let part = available.saturating_sub(fee) / whole;
        let lock = |kind: u8| match kind {
            0 | 1 => lock(1),
            2 => lock(2),
            3 => Lock::Account(address(1)),
            4 => policy().lock(),
            _ => Lock::Account(CONTRACTS[usize::from(kind) % CONTRACTS.len()]),
        };
        let outputs: Vec<Output> =
            shares.iter().map(|(share, kind)| output(part * u64::from(*share), lock(*kind))).collect();
        let mut tx = lab.spend(&spent, &outputs);
        for (number, ((_, coin), witness)) in spent.iter().zip(&mut tx.witnesses).enumerate() {
            let Witness::Key(signature) = *witness else { continue };
            if coin.output.lock == policy().lock() {
                let items = match number % 2 {
                    0 => [ProofItem::Signature(Box::new(signature)), ProofItem::Skip],
                    _ => [ProofItem::Skip, ProofItem::Reached],
                };
                *witness = Witness::Policy(policy(), Proof(items.into_iter().collect()));
            }
        }
        Some(Transaction::Coin(tx))
    }

    /// Counts what the block accepted.
    fn accept(&mut self, lab: &Lab, transaction: Transaction) {
        match &transaction {
            Transaction::Coin(tx) => {
                self.coins.retain(|(outpoint, _)| !tx.inputs.contains(outpoint));
                let made = (0..tx.outputs.len() as u32).map(|index| lab.made(tx, index));
                self.coins.extend(made.filter(|(_, coin)| is_own(coin)));
            }
            Transaction::Account(tx) => {
                let from = sender(&transaction).unwrap();
                let number = |account| (1..4_u8).find(|number| address(*number) == account).unwrap();
                self.nonces[usize::from(number(from))] += 1;
                // Wrong only after a creation by an account with a delegation, whose next transactions are then
                // rejected.
                for authority in tx.fields().authorizations.iter().filter_map(|signed| signed.recover()) {
                    self.nonces[usize::from(number(authority))] += 1;
                }
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

fn grains(amount: u64) -> U256 {
    Amount::from_grains(amount).to_wei()
}

fn genesis() -> Lab {
    let mut lab = Lab::new();
    lab.spec.coinbase_maturity = 2;
    lab.spec.gas_limit = 3_000_000;
    lab.account(GATEWAY, Account { nonce: 1, ..Account::default() }, Bytes::from(vec![INVALID]));
    for address in CONTRACTS {
        lab.account(address, Account { nonce: 1, balance: grains(50_000), ..Account::default() }, contract(address));
    }
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
