//! Which coins to spend.
//!
//! `bdk_coin_select` searches (branch and bound, with gas for weight); its arithmetic is in floats, so what it chooses is
//! settled here in whole grains: inputs = outputs + change + fee, exactly.

use bdk_coin_select::{
    BnbMetric, Candidate, ChangePolicy, CoinSelector, Drain, DrainWeights, FeeRate, Target, TargetFee, TargetOutputs,
    float::Ordf32,
};
use chain_core::{
    transaction::coin::{CoinTransaction, OutPoint, Output, Witness},
    units::{Amount, Gas, WEI_PER_GRAIN},
};

use crate::fees::{self, FeeError, KEY_INPUT_GAS};

/// Coins that branch and bound looks at; beyond, the largest are taken first.
const SEARCHED: usize = 100;

/// Rounds of branch and bound.
const ROUNDS: usize = 1_000;

/// Grains that the library may be given, fees included: it adds and subtracts in 64 bits with a sign, and panics where that
/// does not suffice. Far more than there can be.
const SEARCHABLE: u64 = 1 << 60;

/// Gas of an output under a key: 43 bytes with a large amount, and the coin it makes.
const CHANGE_GAS: Gas = 16 * 43 + 8_000;

/// A coin that may be chosen.
#[derive(Clone, Debug)]
pub struct Choice {
    pub outpoint: OutPoint,
    /// What it is worth.
    pub amount: Amount,
    /// A witness of the size that it will have.
    pub witness: Witness,
}

/// What is to be paid.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// Who is paid how much.
    pub outputs: &'a [Output],
    /// The output for change; its amount is ignored.
    pub change: Output,
    /// Wei for a unit of gas.
    pub price: u128,
    /// Change below this is left to the miner.
    pub dust: Amount,
    /// Choices that must be spent, by position.
    pub must: &'a [usize],
}

/// What was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Positions of the choices, ascending.
    pub inputs: Vec<usize>,
    pub change: Option<Amount>,
    pub fee: Amount,
}

/// Why nothing can be chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    #[error("{needed} CRN are needed (a fee of {fee} CRN included), you have {available}, {} short",
        Amount::from_grains(needed.grains().saturating_sub(available.grains())))]
    NotEnough { needed: Amount, fee: Amount, available: Amount },
    #[error("the amounts sum to more money than there can be")]
    TooLarge,
    #[error(transparent)]
    Fee(#[from] FeeError),
}

fn transaction<'a>(inputs: impl Iterator<Item = &'a Choice>, outputs: Vec<Output>) -> CoinTransaction {
    let mut tx = CoinTransaction { inputs: Vec::new(), outputs, witnesses: Vec::new() };
    for choice in inputs {
        tx.inputs.push(choice.outpoint);
        tx.witnesses.push(choice.witness.clone());
    }
    tx
}

/// Gas of a transaction with these inputs and outputs.
fn gas<'a>(inputs: impl Iterator<Item = &'a Choice>, outputs: Vec<Output>) -> Gas {
    let tx = transaction(inputs, outputs);
    tx.gas(tx.size())
}

/// How many of the choices in this order fit into so many bytes beside the outputs.
pub fn fitting(choices: &[Choice], order: &[usize], outputs: &[Output], room: usize) -> usize {
    // Lists of up to 250 items have a length of one byte, longer ones of three: twice, for inputs and witnesses.
    let mut size = transaction([].into_iter(), outputs.to_vec()).size() + 4;
    order
        .iter()
        .take_while(|index| {
            let one = transaction([&choices[**index]].into_iter(), Vec::new()).size();
            size += one - transaction([].into_iter(), Vec::new()).size();
            size <= room
        })
        .count()
}

/// Gas that one more input costs.
fn input_gas(choice: &Choice) -> Gas {
    gas([choice].into_iter(), Vec::new()) - gas([].into_iter(), Vec::new())
}

impl Order<'_> {
    fn paid(&self) -> Result<Amount, SelectError> {
        Amount::sum(self.outputs.iter().map(|output| output.amount)).map_err(|_| SelectError::TooLarge)
    }

    fn fee_of(&self, choices: &[Choice], inputs: &[usize], change: Option<Amount>) -> Result<Amount, SelectError> {
        let outputs = self.outputs.iter().copied().chain(change.map(|amount| Output { amount, ..self.change }));
        let gas = gas(inputs.iter().map(|index| &choices[*index]), outputs.collect());
        Ok(fees::fee(gas, self.price)?)
    }

    /// Settles a set of inputs exactly; nothing if they do not suffice.
    fn settle(&self, choices: &[Choice], inputs: &[usize]) -> Result<Option<Selection>, SelectError> {
        let total = worth(choices, inputs)?;
        let Some(rest) = total.checked_sub(self.paid()?) else { return Ok(None) };
        // The amount of the change is as long as the rest at most, so that its fee is never too low.
        let with_change = self.fee_of(choices, inputs, Some(rest))?;
        if let Some(change) = rest.checked_sub(with_change).filter(|change| *change >= self.dust && change.grains() > 0)
        {
            return Ok(Some(Selection { inputs: inputs.into(), change: Some(change), fee: with_change }));
        }
        let without = self.fee_of(choices, inputs, None)?;
        Ok((rest >= without).then(|| Selection { inputs: inputs.into(), change: None, fee: rest }))
    }
}

/// What choices are worth together.
fn worth(choices: &[Choice], inputs: &[usize]) -> Result<Amount, SelectError> {
    Amount::sum(inputs.iter().map(|index| choices[*index].amount)).map_err(|_| SelectError::TooLarge)
}

/// How many coins cost more to spend than they are worth.
pub fn uneconomic(choices: &[Choice], price: u128) -> usize {
    let costs = |choice: &&Choice| fees::fee(input_gas(choice), price).map_or(true, |fee| choice.amount <= fee);
    choices.iter().filter(costs).count()
}

/// What must be spent, then the others, largest first; of those, what costs more to spend than it is worth is left out.
fn ranked(choices: &[Choice], must: &[usize], price: u128) -> Result<Vec<usize>, SelectError> {
    let mut others = Vec::new();
    for (index, choice) in choices.iter().enumerate() {
        if !must.contains(&index) && choice.amount > fees::fee(input_gas(choice), price)? {
            others.push(index);
        }
    }
    others.sort_by_key(|index| std::cmp::Reverse(choices[*index].amount));
    Ok([must.to_vec(), others].concat())
}

/// Chooses coins for an order.
///
/// # Errors
/// [`SelectError::NotEnough`] if all coins that are worth spending do not suffice.
pub fn select(choices: &[Choice], order: &Order) -> Result<Selection, SelectError> {
    let available = Amount::sum(choices.iter().map(|choice| choice.amount)).map_err(|_| SelectError::TooLarge)?;
    let paid = order.paid()?;
    if i64::try_from(available.grains()).is_err() || i64::try_from(paid.grains()).is_err() {
        return Err(SelectError::TooLarge);
    }
    let ranked = ranked(choices, order.must, order.price)?;
    let mut chosen = match search(choices, &ranked, order) {
        Some(found) => found,
        None => greedy(choices, &ranked, order)?,
    };
    loop {
        chosen.sort_unstable();
        if !chosen.is_empty()
            && let Some(selection) = order.settle(choices, &chosen)?
        {
            return Ok(selection);
        }
        // Floats were off by a grain, or nothing was found: one more.
        match ranked.iter().find(|index| !chosen.contains(index)) {
            Some(next) => chosen.push(*next),
            None => {
                let fee = order.fee_of(choices, &chosen, None)?;
                let needed = paid.add(fee).map_err(|_| SelectError::TooLarge)?;
                return Err(SelectError::NotEnough { needed, fee, available: worth(choices, &chosen)? });
            }
        }
    }
}

/// All coins that are worth spending into one output: those that must be spent, then the largest, as many as fit into so
/// many bytes.
///
/// # Errors
/// [`SelectError`] if nothing would be left.
pub fn select_all(
    choices: &[Choice],
    output: Output,
    price: u128,
    room: usize,
    must: &[usize],
) -> Result<Selection, SelectError> {
    let mut inputs = ranked(choices, must, price)?;
    // Its amount is as long as any can be.
    inputs.truncate(fitting(choices, &inputs, &[Output { amount: Amount::from_grains(u64::MAX), ..output }], room));
    inputs.sort_unstable();
    let available = worth(choices, &inputs)?;
    let gas = gas(inputs.iter().map(|index| &choices[*index]), vec![Output { amount: available, ..output }]);
    let fee = fees::fee(gas, price)?;
    match available.checked_sub(fee).filter(|rest| rest.grains() > 0) {
        // "Change" is what the one output receives.
        Some(rest) => Ok(Selection { inputs, change: Some(rest), fee }),
        None => {
            Err(SelectError::NotEnough { needed: Amount::from_grains(fee.grains().saturating_add(1)), fee, available })
        }
    }
}

/// The first of `ranked` whose sum pays the order with change, or all of them.
fn greedy(choices: &[Choice], ranked: &[usize], order: &Order) -> Result<Vec<usize>, SelectError> {
    let paid = order.paid()?;
    let mut gas = gas([].into_iter(), order.outputs.to_vec()) + CHANGE_GAS;
    let mut total = Amount::ZERO;
    for (count, index) in ranked.iter().enumerate() {
        gas += input_gas(&choices[*index]);
        total = total.add(choices[*index].amount).map_err(|_| SelectError::TooLarge)?;
        let needed = paid.add(fees::fee(gas, order.price)?).map_err(|_| SelectError::TooLarge)?;
        if count + 1 >= order.must.len() && total >= needed {
            return Ok(ranked[..=count].to_vec());
        }
    }
    Ok(ranked.to_vec())
}

/// Lets the library search among the first [`SEARCHED`] of `ranked`.
fn search(choices: &[Choice], ranked: &[usize], order: &Order) -> Option<Vec<usize>> {
    let searched = &ranked[..ranked.len().min(SEARCHED.max(order.must.len()))];
    if largest_sum(choices, searched, order)? > SEARCHABLE {
        return None;
    }
    let candidates: Vec<Candidate> = searched
        .iter()
        .map(|index| {
            let choice = &choices[*index];
            Candidate { value: choice.amount.grains(), weight: input_gas(choice), input_count: 1, is_segwit: false }
        })
        .collect();
    let target = target(order);
    let mut selector = CoinSelector::new(&candidates);
    (0..order.must.len()).for_each(|index| {
        selector.select(index);
    });
    let change_policy = ChangePolicy::min_value(
        DrainWeights { output_weight: CHANGE_GAS, spend_weight: KEY_INPUT_GAS, n_outputs: 1 },
        order.dust.grains(),
    );
    selector.run_bnb(Cheapest { target, change_policy }, ROUNDS).ok()?;
    Some(selector.selected_indices().iter().map(|index| searched[*index]).collect())
}

/// The largest number that the search can come across; nothing if it does not fit.
fn largest_sum(choices: &[Choice], searched: &[usize], order: &Order) -> Option<u64> {
    let inputs = searched.iter().map(|index| &choices[*index]);
    let gas = gas(inputs.clone(), order.outputs.to_vec()).checked_add(CHANGE_GAS)?.checked_add(KEY_INPUT_GAS)?;
    let amounts = inputs.map(|choice| choice.amount).chain(order.outputs.iter().map(|output| output.amount));
    let sum = Amount::sum(amounts).ok()?.add(fees::fee(gas, order.price).ok()?).ok()?;
    Some(sum.add(order.dust).ok()?.grains())
}

fn target(order: &Order) -> Target {
    let base = gas([].into_iter(), order.outputs.to_vec());
    let value_sum = crate::money::saturating_sum(order.outputs.iter().map(|output| output.amount)).grains();
    // Far beyond any price of gas, and far within what a float holds.
    let grains_per_gas = (order.price.min(1 << 100) as f64 / WEI_PER_GRAIN as f64) as f32;
    let rate = if grains_per_gas.is_normal() { FeeRate::from_sat_per_wu(grains_per_gas) } else { FeeRate::ZERO };
    Target {
        fee: TargetFee::from_feerate(rate),
        outputs: TargetOutputs { value_sum, weight_sum: base, n_outputs: order.outputs.len() },
    }
}

/// Prefers what costs least: the fee now, and later that of spending the change.
///
/// The library's own `LowestFee` asserts on floats that round below zero once amounts are large, so this counts in
/// integers wherever amounts are involved.
struct Cheapest {
    target: Target,
    change_policy: ChangePolicy,
}

impl BnbMetric for Cheapest {
    fn score(&mut self, selector: &CoinSelector<'_>) -> Option<Ordf32> {
        if !selector.is_target_met(self.target) {
            return None;
        }
        let drain: Drain = selector.drain(self.target, self.change_policy);
        let fee = selector.fee(self.target.value(), drain.value);
        Some(Ordf32(fee as f32 + drain.weights.spend_fee(self.target.fee.rate) as f32))
    }

    fn bound(&mut self, selector: &CoinSelector<'_>) -> Option<Ordf32> {
        let rate = self.target.fee.rate;
        let mut cost = selector.implied_fee(self.target, DrainWeights::NONE) as f32;
        let mut missing = selector.missing(self.target) as f64;
        for (_, candidate) in selector.unselected() {
            if missing <= 0.0 {
                break;
            }
            let input = candidate.implied_fee(rate);
            missing -= candidate.value as f64 - f64::from(input);
            cost += input;
        }
        // Candidates come by falling value, so nothing reaches the target with fewer.
        (missing <= 0.0).then_some(Ordf32(cost))
    }

    fn requires_ordering_by_descending_value_pwu(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
