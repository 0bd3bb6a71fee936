use chain_core::{
    hash::TxId,
    transaction::coin::{KeyBytes, Lock},
};
use proptest::prelude::*;

use super::*;

const PRICE: u128 = 1_125_000_000;

fn output(amount: u64) -> Output {
    Output { amount: Amount::from_grains(amount), lock: Lock::Key(KeyBytes([7; 32])) }
}

fn choices(amounts: &[u64]) -> Vec<Choice> {
    amounts
        .iter()
        .zip(0..)
        .map(|(amount, index)| Choice {
            outpoint: OutPoint { txid: TxId([9; 32]), index },
            amount: Amount::from_grains(*amount),
            witness: Witness::Key([0; 64].into()),
        })
        .collect()
}

fn order(outputs: &[Output]) -> Order<'_> {
    Order { outputs, change: output(0), price: PRICE, dust: Amount::from_grains(700), must: &[] }
}

/// The gas of the transaction that a selection makes.
fn gas_of(choices: &[Choice], outputs: &[Output], selection: &Selection) -> Gas {
    let outputs = outputs.iter().copied().chain(selection.change.map(|amount| output(amount.grains())));
    gas(selection.inputs.iter().map(|index| &choices[*index]), outputs.collect())
}

#[test]
fn pays_with_one_coin_and_takes_change() {
    let (choices, outputs) = (choices(&[500_000_000, 500_000_000]), [output(100_000_000)]);
    let selection = select(&choices, &order(&outputs)).unwrap();
    assert_eq!(selection.inputs.len(), 1);
    assert_eq!(selection.change, Some(Amount::from_grains(500_000_000 - 100_000_000 - selection.fee.grains())));
    let exact = fees::fee(gas_of(&choices, &outputs, &selection), PRICE).unwrap();
    assert!(selection.fee >= exact && selection.fee.grains() <= exact.grains() + 2);
}

#[test]
fn prefers_coins_that_need_no_change() {
    let outputs = [output(100_000_000)];
    let one = choices(&[100_000_000]);
    let fee = fees::fee(gas(one.iter(), outputs.to_vec()), PRICE).unwrap().grains();
    let choices = choices(&[900_000_000, 60_000_000, 100_000_000 + fee + 5, 80_000_000]);
    let selection = select(&choices, &order(&outputs)).unwrap();
    assert_eq!(selection, Selection { inputs: vec![2], change: None, fee: Amount::from_grains(fee + 5) });
}

#[test]
fn change_that_would_be_dust_goes_to_the_miner() {
    let outputs = [output(100_000_000)];
    let with_change = gas(choices(&[1]).iter(), vec![outputs[0], output(100_000_000)]);
    let fee = fees::fee(with_change, PRICE).unwrap().grains();
    let left = |rest: u64| select(&choices(&[100_000_000 + fee + rest]), &order(&outputs)).unwrap();
    assert_eq!(left(600).change, None);
    assert_eq!(left(600).fee, Amount::from_grains(fee + 600));
    assert!(left(800).change.is_some_and(|change| change >= Amount::from_grains(700)));
}

#[test]
fn says_how_much_is_missing() {
    let outputs = [output(1_000_000_000)];
    let choices = choices(&[500_000_000, 300_000_000]);
    let fee = fees::fee(gas(choices.iter(), outputs.to_vec()), PRICE).unwrap();
    let error = select(&choices, &order(&outputs)).unwrap_err();
    let needed = Amount::from_grains(1_000_000_000 + fee.grains());
    assert_eq!(error, SelectError::NotEnough { needed, fee, available: Amount::from_grains(800_000_000) });
    assert!(error.to_string().contains(&format!(", {} short", Amount::from_grains(200_000_000 + fee.grains()))));
    assert!(matches!(select(&[], &order(&outputs)), Err(SelectError::NotEnough { available: Amount::ZERO, .. })));
}

#[test]
fn the_last_grain_decides() {
    let outputs = [output(100_000_000)];
    let fee = fees::fee(gas(choices(&[1]).iter(), outputs.to_vec()), PRICE).unwrap().grains();
    let exact = select(&choices(&[100_000_000 + fee]), &order(&outputs)).unwrap();
    assert_eq!(exact, Selection { inputs: vec![0], change: None, fee: Amount::from_grains(fee) });
    assert!(select(&choices(&[100_000_000 + fee - 1]), &order(&outputs)).is_err());
}

#[test]
fn leaves_coins_that_cost_more_than_they_hold() {
    let outputs = [output(10_000)];
    let all = choices(&[100, 100, 100, 50_000, 100]);
    assert_eq!(select(&all, &order(&outputs)).unwrap().inputs, [3]);
    assert_eq!(select_all(&all, output(0), PRICE, 100_000, &[]).unwrap().inputs, [3]);
    assert!(matches!(
        select_all(&choices(&[100, 100]), output(0), PRICE, 100_000, &[]),
        Err(SelectError::NotEnough { available: Amount::ZERO, .. })
    ));
}

#[test]
fn spends_what_it_must() {
    let outputs = [output(10_000)];
    let all = choices(&[100, 900_000_000, 50_000]);
    let selection = select(&all, &Order { must: &[0], ..order(&outputs) }).unwrap();
    assert!(selection.inputs.contains(&0) && selection.inputs.len() == 2);
}

#[test]
fn spending_all_leaves_nothing() {
    let all = choices(&[500_000_000; 30]);
    let selection = select_all(&all, output(0), PRICE, 100_000, &[]).unwrap();
    assert_eq!(selection.inputs.len(), 30);
    assert_eq!(selection.change.unwrap().grains() + selection.fee.grains(), 15_000_000_000);
}

#[test]
fn spending_all_takes_what_fits_the_coins_that_must_be_spent_first() {
    let mut amounts = vec![500_000_000; 2_000];
    amounts[1_500] = 100_000;
    let all = choices(&amounts);
    let size = |selection: &Selection, more: usize| {
        let inputs = selection.inputs.iter().chain(std::iter::repeat_n(&0, more)).map(|index| &all[*index]);
        transaction(inputs, vec![output(selection.change.unwrap().grains())]).size()
    };
    let selection = select_all(&all, output(0), PRICE, 100_000, &[]).unwrap();
    assert!(size(&selection, 0) <= 100_000 && size(&selection, 1) > 100_000 - 20, "{}", size(&selection, 0));
    assert!(!selection.inputs.contains(&1_500), "the smallest is left");
    let selection = select_all(&all, output(0), PRICE, 100_000, &[1_500]).unwrap();
    assert!(selection.inputs.contains(&1_500));
    assert!(size(&selection, 0) <= 100_000);
}

#[test]
fn refuses_sums_that_no_chain_has() {
    let outputs = [output(5)];
    assert_eq!(select(&choices(&[u64::MAX, 1]), &order(&outputs)), Err(SelectError::TooLarge));
    assert_eq!(select(&choices(&[1 << 63]), &order(&outputs)), Err(SelectError::TooLarge));
    let outputs = [output(u64::MAX), output(1)];
    assert_eq!(select(&choices(&[5]), &order(&outputs)), Err(SelectError::TooLarge));
    let outputs = [output(5)];
    let dear = Order { price: u128::MAX, ..order(&outputs) };
    assert_eq!(select(&choices(&[5]), &dear), Err(SelectError::Fee(FeeError::TooLarge)));
}

#[test]
fn copes_with_thousands_of_coins() {
    let amounts: Vec<u64> = (0..3_000).map(|index| 100_000 + index).collect();
    let (choices, outputs) = (choices(&amounts), [output(200_000_000)]);
    let selection = select(&choices, &order(&outputs)).unwrap();
    assert!(selection.inputs.len() > 1_900);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// No grain is made or lost, and the fee is neither too low for its gas nor far too high.
    #[test]
    fn inputs_are_outputs_and_change_and_fee(
        amounts in proptest::collection::vec(prop_oneof![1u64..20_000, 1u64..10_000_000_000, Just(500_000_000)], 0..60),
        paid in proptest::collection::vec(1u64..2_000_000_000, 1..5),
        price in prop_oneof![Just(0u128), 1u128..5_000_000_000, 1u128..1_000_000_000_000_000],
        dust in 0u64..5_000,
    ) {
        let choices = choices(&amounts);
        let outputs: Vec<Output> = paid.iter().map(|amount| output(*amount)).collect();
        let order = Order { price, dust: Amount::from_grains(dust), ..order(&outputs) };
        match select(&choices, &order) {
            Ok(selection) => {
                let total: u64 = selection.inputs.iter().map(|index| amounts[*index]).sum();
                let change = selection.change.map_or(0, |change| change.grains());
                prop_assert_eq!(total, paid.iter().sum::<u64>() + change + selection.fee.grains());
                prop_assert!(selection.inputs.is_sorted_by(|one, two| one < two));
                prop_assert!(selection.change.is_none_or(|change| change.grains() >= dust && change.grains() > 0));
                let least = fees::fee(gas_of(&choices, &outputs, &selection), price).unwrap();
                prop_assert!(selection.fee >= least);
                let with_change = fees::fee(gas_of(&choices, &outputs, &selection) + CHANGE_GAS, price).unwrap();
                prop_assert!(selection.fee.grains() <= with_change.grains() + dust);
            }
            Err(SelectError::NotEnough { needed, available, .. }) => prop_assert!(needed > available),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn all_is_one_output_and_the_fee(
        amounts in proptest::collection::vec(1u64..10_000_000_000, 0..40),
        price in 0u128..5_000_000_000,
    ) {
        let choices = choices(&amounts);
        if let Ok(selection) = select_all(&choices, output(0), price, 100_000, &[]) {
            let total: u64 = selection.inputs.iter().map(|index| amounts[*index]).sum();
            prop_assert_eq!(total, selection.change.unwrap().grains() + selection.fee.grains());
            prop_assert!(selection.fee >= fees::fee(gas_of(&choices, &[], &selection), price).unwrap());
        }
    }
}

#[test]
fn amounts_beyond_what_the_library_counts_are_settled_without_it() {
    let choices = choices(&[500_000_000, 700_000_000]);
    for amount in [i64::MAX as u64, i64::MAX as u64 - 1, SEARCHABLE, SEARCHABLE - 1_200_000_000] {
        let outputs = [output(amount)];
        assert!(matches!(select(&choices, &order(&outputs)), Err(SelectError::NotEnough { .. })), "{amount}");
    }
    // Nor does a price that no node asks for.
    let outputs = [output(100_000)];
    let absurd = Order { price: u128::from(u64::MAX) * 2, ..order(&outputs) };
    assert!(matches!(select(&choices, &absurd), Err(SelectError::NotEnough { .. })));
}
