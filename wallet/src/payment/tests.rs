use std::sync::LazyLock;

use chain_core::{
    execute::coin_fee,
    hash::{BlockHash, TxId},
    transaction::{
        Transaction,
        coin::{Coin, KeyBytes, Lock, OutPoint, Output},
    },
};
use proptest::prelude::*;

use super::*;
use crate::{
    coins::{Coins, OwnCoin, Unlock},
    draft::{Body, Draft},
    file::Wallet,
    keys::{Branch, KeyPath, Signer},
    own::KeyTable,
    vault::Cost,
};

const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

/// A wallet with its secret and public keys: dear to make, so made once.
static OWNER: LazyLock<(Wallet, Signer, KeyTable)> = LazyLock::new(|| {
    let network = Network { name: "local".into(), chain_id: 133_702, hrp: "lcrn".into(), genesis: BlockHash([3; 32]) };
    let mnemonic = bip39::Mnemonic::from_entropy(&[1; 16]).unwrap();
    let wallet = Wallet::of(network, &mnemonic, &Signer::new(&mnemonic).unwrap(), "pass", CHEAP).unwrap();
    let signer = wallet.open("pass").unwrap().1;
    let table = wallet.key_table().unwrap();
    (wallet, signer, table)
});

fn terms(base: u64, tip: u64) -> Terms {
    let prices = Prices { base, base_max: base / 8 * 9, tip };
    Terms { height: 200, prices, allow_high_fee: true, first_block: None, nonce: None, maturity: 10 }
}

fn coins(amounts: &[u64]) -> Coins {
    let (wallet, ..) = &*OWNER;
    let lock = wallet.keys.lock(Branch::Receive, 0).unwrap();
    let coins = amounts.iter().zip(0..).map(|(amount, index)| OwnCoin {
        outpoint: OutPoint { txid: TxId([index as u8; 32]), index },
        output: Output { amount: Amount::from_grains(*amount), lock },
        address: wallet.network.address(&lock),
        height: Some(100),
        coinbase: false,
        mature: true,
        spent_by: None,
        unlock: Unlock::Key(KeyPath::Coin(Branch::Receive, 0)),
    });
    Coins::sort(wallet, coins.collect())
}

fn stranger(number: u8) -> Lock {
    Lock::Key(KeyBytes([number; 32]))
}

/// Signs a draft and lets the chain's own rules judge its fee.
fn fee_of(mut draft: Draft, coins: &Coins, base_fee: u64) -> chain_core::execute::CoinFee {
    let (wallet, signer, table) = &*OWNER;
    draft.sign(&wallet.network, signer, table).unwrap();
    let Transaction::Coin(tx) = draft.finish(201).unwrap() else { panic!("not of coins") };
    let spent: Vec<Coin> = tx
        .inputs
        .iter()
        .map(|input| coins.spendable.iter().find(|coin| coin.outpoint == *input).unwrap())
        .map(|coin| Coin { output: coin.output, height: coin.height.unwrap_or(201), coinbase: coin.coinbase })
        .collect();
    coin_fee(&tx, tx.size(), &spent, base_fee).unwrap()
}

#[test]
fn the_fee_covers_the_highest_base_fee_of_the_next_block_and_the_tip() {
    let (terms, coins) = (terms(1_000_000_000, 50_000_000), coins(&[500_000_000]));
    let order = CoinOrder::Pay(vec![(stranger(2), Amount::from_grains(100_000_000))]);
    let draft = coin_payment(&OWNER.0, &coins, &terms, &order).unwrap();
    let fee = fee_of(draft, &coins, 1_125_000_000);
    let tip_per_gas = fee.tip.grains() * 10_000_000_000 / fee.gas;
    assert!((50_000_000..51_000_000).contains(&tip_per_gas), "{fee:?}");
}

#[test]
fn a_payment_of_too_many_coins_is_refused_and_all_takes_the_largest() {
    let (terms, coins) = (terms(1_000_000_000, 0), coins(&vec![100_000; 2_200]));
    let wallet = &OWNER.0;
    let pay = |amount: u64| {
        let order = CoinOrder::Pay(vec![(stranger(2), Amount::from_grains(amount))]);
        coin_payment(wallet, &coins, &terms, &order)
    };
    let Err(PaymentError::TooManyInputs { count, fits, worth }) = pay(202_000_000) else { panic!("it was built") };
    assert!(count > 2_000 && (1_000..1_030).contains(&fits), "{count} {fits}");
    assert_eq!(worth.grains(), fits as u64 * 100_000);
    let size = |mut draft: Draft| {
        draft.sign(&wallet.network, &OWNER.1, &OWNER.2).unwrap();
        draft.finish(201).unwrap().encode().len()
    };
    // Most of what fits can be paid; the fee takes a few hundred grains a coin.
    let paid = pay(worth.grains() / 100 * 99).unwrap();
    assert!(size(paid) <= 100_000);
    let all = coin_payment(wallet, &coins, &terms, &CoinOrder::All(stranger(2))).unwrap();
    let Body::Coin(coin) = &all.transaction else { panic!("not of coins") };
    assert!(coin.inputs.len() >= fits);
    assert!((99_850..=100_000).contains(&size(all)));
}

#[test]
fn change_that_is_built_and_never_sent_uses_up_no_address() {
    let (terms, coins) = (terms(1_000_000_000, 0), coins(&[500_000_000]));
    let mut wallet = OWNER.0.clone();
    let change = |wallet: &Wallet| {
        let order = CoinOrder::Pay(vec![(stranger(2), Amount::from_grains(100_000_000))]);
        let draft = coin_payment(wallet, &coins, &terms, &order).unwrap();
        let Body::Coin(coin) = draft.transaction else { panic!("not of coins") };
        coin.outputs.into_iter().find_map(|line| line.change).unwrap()
    };
    for _ in 0..30 {
        assert_eq!(change(&wallet), KeyPath::Coin(Branch::Change, 0));
    }
    // What was sent is not used again.
    wallet.used.change = 1;
    assert_eq!(change(&wallet), KeyPath::Coin(Branch::Change, 1));
}

#[test]
fn a_replacement_pays_a_tenth_more_and_the_same_people() {
    let (terms, coins) = (terms(1_000_000_000, 1_000), coins(&[500_000_000, 90_000_000]));
    let wallet = &OWNER.0;
    // Leaves so little change that another coin is needed to pay more.
    let order = CoinOrder::Pay(vec![(stranger(2), Amount::from_grains(499_994_000))]);
    let draft = coin_payment(&OWNER.0, &coins, &terms, &order).unwrap();
    let first = fee_of(draft.clone(), &coins, 1_000_000_000);
    let Body::Coin(old) = &draft.transaction else { panic!("not of coins") };
    let high = Terms { prices: Prices { tip: 500_000_000, ..terms.prices }, ..terms.clone() };
    for (terms, least) in [(&terms, 11), (&high, 13)] {
        let dropped = vec![Weight { gas: first.gas, fee: first.fee }];
        let options = BumpOptions { cancel: false, percent: 10, dropped };
        let bumped = bump_coin(wallet, &OWNER.2, old, &coins, terms, &options).unwrap();
        let Body::Coin(new) = &bumped.transaction else { panic!("not of coins") };
        assert!(new.outputs.iter().any(|line| line.amount == Amount::from_grains(499_994_000)));
        assert!(old.inputs.iter().all(|input| new.inputs.contains(input)));
        let second = fee_of(bumped.clone(), &coins, 1_000_000_000);
        assert!(
            second.fee.grains() * first.gas * 10 >= first.fee.grains() * second.gas * least,
            "{first:?} {second:?}"
        );
        assert!(second.tip.grains() * first.gas * 10 >= first.tip.grains() * second.gas * 11);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever is built can be signed, loses nothing, and keeps the chain's rules of fees.
    #[test]
    fn what_is_built_is_valid(
        amounts in proptest::collection::vec(10_000u64..1_000_000_000, 1..12),
        paid in proptest::collection::vec(20_000u64..300_000_000, 1..4),
        base in 1_000_000_000u64..5_000_000_000,
        tip in 0u64..3_000_000_000,
        all in any::<bool>(),
    ) {
        let (terms, coins) = (terms(base, tip), coins(&amounts));
        let order = if all {
            CoinOrder::All(stranger(1))
        } else {
            CoinOrder::Pay(paid.iter().zip(1..).map(|(amount, number)| (stranger(number), Amount::from_grains(*amount))).collect())
        };
        match coin_payment(&OWNER.0, &coins, &terms, &order) {
            Ok(draft) => {
                let fee = fee_of(draft, &coins, base / 8 * 9);
                let owed = u128::from(fee.gas) * u128::from(tip) / 10_000_000_000;
                prop_assert!(u128::from(fee.tip.grains()) + 1 >= owed);
            }
            Err(PaymentError::NotEnoughCoins { .. }) => {
                prop_assert!(all || amounts.iter().sum::<u64>() < paid.iter().sum::<u64>() + 1_000_000);
            }
            Err(PaymentError::Refused(what)) if what.contains(" is dust: ") => prop_assert!(all),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}
