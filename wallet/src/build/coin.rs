//! Payments in coins.

use chain_core::{
    coin::{Lock, Output, Witness},
    policy::Policy,
    units::Amount,
};

use super::{BuildError, MAX_INPUTS, Terms, check_fee, unsatisfiable};
use crate::{
    fees::{self, FeeError},
    file::Wallet,
    funds::{Funds, OwnCoin, Unlock, mark_used},
    keys::{Branch, KeyPath},
    request::{Body, CoinRequest, Hex32, Input, KeyTable, OutputLine, Request, estimate},
    select::{self, Choice, Order, SelectError, Selection},
    vault,
};

/// Who is to be paid in coins.
#[derive(Clone, Debug, PartialEq)]
pub enum CoinOrder {
    /// These, the rest comes back as change.
    Pay(Vec<(Lock, Amount)>),
    /// All there is to one.
    All(Lock),
}

/// How the coins of a policy are spent.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyOrder {
    /// The policy.
    pub policy: Policy,
    /// Who is paid; change returns to the policy.
    pub order: CoinOrder,
    /// Preimages at hand.
    pub preimages: Vec<[u8; 32]>,
}

/// A coin with its place in a request.
struct Source<'a> {
    coin: &'a OwnCoin,
    choice: Choice,
}

fn source(coin: &OwnCoin, witness: Witness) -> Source<'_> {
    Source { coin, choice: Choice { outpoint: coin.outpoint, amount: coin.output.amount, witness } }
}

/// Builds a payment from the wallet's own coins. A key for change counts as used from then on.
///
/// # Errors
/// [`BuildError`].
pub fn coin_request(
    wallet: &mut Wallet,
    funds: &Funds,
    terms: &Terms,
    order: &CoinOrder,
) -> Result<Request, BuildError> {
    let placeholder = Witness::Key([0; 64].into());
    let sources: Vec<_> = funds.spendable.iter().map(|coin| source(coin, placeholder.clone())).collect();
    let index = wallet.used.change;
    let change = (wallet.keys.lock(Branch::Change, index)?, Some(KeyPath::Coin(Branch::Change, index)));
    let draft = draft(wallet, &sources, terms, order, change, &[]).map_err(|error| not_enough(error, funds))?;
    if draft.outputs.iter().any(|line| line.change.is_some()) {
        mark_used(wallet, Branch::Change, index);
    }
    Ok(Request::new(wallet.network.clone(), terms.height, terms.prices.base, Body::Coin(draft)))
}

/// Builds a payment from the coins of a policy.
///
/// # Errors
/// [`BuildError`]; [`BuildError::Unsatisfiable`] if no signatures could unlock them now.
pub fn policy_request(
    wallet: &Wallet,
    own: &KeyTable,
    funds: &Funds,
    terms: &Terms,
    order: &PolicyOrder,
) -> Result<Request, BuildError> {
    let is_own = |key: &chain_core::coin::KeyBytes| own.coin(key, None).is_some();
    let mut sources = Vec::new();
    for coin in &funds.spendable {
        let age = terms.next().saturating_sub(coin.height.unwrap_or(terms.next()));
        if let Some(expected) = estimate(&order.policy, &is_own, &order.preimages, terms.next(), age) {
            sources.push(source(coin, expected.witness));
        }
    }
    if sources.is_empty() && !funds.spendable.is_empty() {
        return Err(unsatisfiable(&wallet.network, &order.policy, terms, order.preimages.len()));
    }
    let change = (order.policy.lock(), None);
    let mut draft =
        draft(wallet, &sources, terms, &order.order, change, &[]).map_err(|error| not_enough(error, funds))?;
    for input in &mut draft.inputs {
        input.preimages = order.preimages.iter().copied().map(Hex32).collect();
    }
    Ok(Request::new(wallet.network.clone(), terms.height, terms.prices.base, Body::Coin(draft)))
}

/// Rebuilds a payment so that it spends at least the coins `must`; for replacing it.
pub(super) fn replacement(
    wallet: &Wallet,
    must: &[OwnCoin],
    funds: &Funds,
    terms: &Terms,
    order: &CoinOrder,
    change: (Lock, Option<KeyPath>),
) -> Result<CoinRequest, BuildError> {
    let placeholder = Witness::Key([0; 64].into());
    let others = match order {
        CoinOrder::Pay(_) => &funds.spendable[..],
        CoinOrder::All(_) => &[],
    };
    let sources: Vec<_> = must.iter().chain(others).map(|coin| source(coin, placeholder.clone())).collect();
    let positions: Vec<usize> = (0..must.len()).collect();
    draft(wallet, &sources, terms, order, change, &positions).map_err(|error| not_enough(error, funds))
}

/// What went wrong on the way, before the funds are looked at.
enum Drafting {
    Select(SelectError),
    Build(BuildError),
}

impl<E: Into<BuildError>> From<E> for Drafting {
    fn from(error: E) -> Self {
        Self::Build(error.into())
    }
}

fn not_enough(error: Drafting, funds: &Funds) -> BuildError {
    match error {
        Drafting::Build(error) => error,
        Drafting::Select(SelectError::Fee(error)) => error.into(),
        Drafting::Select(SelectError::TooLarge) => BuildError::TooLarge,
        Drafting::Select(error) => BuildError::NotEnoughCoins { error, sums: funds.sums() },
    }
}

fn draft(
    wallet: &Wallet,
    sources: &[Source<'_>],
    terms: &Terms,
    order: &CoinOrder,
    (change_lock, change_path): (Lock, Option<KeyPath>),
    must: &[usize],
) -> Result<CoinRequest, Drafting> {
    let dust = fees::dust_limit(&terms.prices)?;
    let choices: Vec<Choice> = sources.iter().map(|source| source.choice.clone()).collect();
    let price = terms.prices.coin();
    let mut outputs = Vec::new();
    let selection: Selection = match order {
        CoinOrder::All(lock) => {
            let all = Output { amount: Amount::ZERO, lock: *lock };
            let mut found = select::select_all(&choices, all, price, MAX_INPUTS).map_err(Drafting::Select)?;
            let all = line(wallet, lock, found.change.take().unwrap_or_default(), None);
            outputs.push(OutputLine { rest: true, ..all });
            found
        }
        CoinOrder::Pay(payments) => {
            let paid = check_payments(wallet, payments)?;
            outputs.extend(payments.iter().map(|(lock, amount)| line(wallet, lock, *amount, None)));
            let change = Output { amount: Amount::ZERO, lock: change_lock };
            let order = Order { outputs: &paid, change, price, dust, must };
            select::select(&choices, &order).map_err(Drafting::Select)?
        }
    };
    if selection.inputs.len() > MAX_INPUTS {
        return Err(BuildError::TooManyInputs(selection.inputs.len()).into());
    }
    check_outputs(terms, &outputs, selection.fee, dust, wallet)?;
    if let Some(change) = selection.change {
        let place = usize::from(vault::random::<1>().map_err(crate::keys::KeyError::from)?[0]) % (outputs.len() + 1);
        outputs.insert(place, line(wallet, &change_lock, change, change_path));
    }
    let inputs = selection.inputs.iter().map(|index| input(sources[*index].coin)).collect();
    let request = CoinRequest { inputs, outputs, fee: selection.fee };
    request.check(&wallet.network)?;
    Ok(request)
}

fn check_payments(wallet: &Wallet, payments: &[(Lock, Amount)]) -> Result<Vec<Output>, BuildError> {
    if payments.is_empty() {
        return Err(BuildError::Nobody);
    }
    for (index, (lock, _)) in payments.iter().enumerate() {
        if payments[..index].iter().any(|(earlier, _)| earlier == lock) {
            return Err(BuildError::Twice(wallet.network.address(lock)));
        }
    }
    Ok(payments.iter().map(|(lock, amount)| Output { amount: *amount, lock: *lock }).collect())
}

/// Refuses dust and fees that look like mistakes.
fn check_outputs(
    terms: &Terms,
    outputs: &[OutputLine],
    fee: Amount,
    dust: Amount,
    wallet: &Wallet,
) -> Result<(), BuildError> {
    for line in outputs {
        let is_coin = !matches!(wallet.network.destination(&line.to)?, Lock::Account(_));
        if is_coin && line.amount < dust {
            let error = FeeError::Dust { amount: line.amount, cost: dust };
            return Err(BuildError::Dust { to: line.to.clone(), error });
        }
    }
    let sent = Amount::sum(outputs.iter().map(|line| line.amount)).map_err(|_| BuildError::TooLarge)?;
    check_fee(terms, fees::check(fee, sent))
}

fn line(wallet: &Wallet, lock: &Lock, amount: Amount, change: Option<KeyPath>) -> OutputLine {
    OutputLine { to: wallet.network.address(lock), amount, change, rest: false }
}

fn input(coin: &OwnCoin) -> Input {
    let (key, policy) = match &coin.unlock {
        Unlock::Key(path) => (Some(*path), None),
        Unlock::Policy(policy) => (None, Some(policy.clone())),
    };
    Input {
        txid: coin.outpoint.txid,
        index: coin.outpoint.index,
        amount: coin.output.amount,
        address: coin.address.clone(),
        height: coin.height,
        key,
        policy,
        preimages: Vec::new(),
        signatures: Vec::new(),
    }
}
