//! Payments in coins.

use chain_core::{
    transaction::{
        coin::{Lock, OutPoint, Output, Witness},
        policy::{Policy, PolicyNode},
    },
    units::{Amount, Height},
};

use super::{BuildError, MAX_BYTES, Terms, check_fee, unsatisfiable};
use crate::{
    fees::{self, FeeError},
    file::Wallet,
    funds::{Funds, OwnCoin, Unlock},
    keys::{Branch, KeyPath},
    request::{Body, CoinRequest, Hex32, Input, KeyTable, OutputLine, OwnKeys, Request, estimate},
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

/// Positions of coins that must be spent so that no refused transaction can ever be mined beside this one: one coin of each
/// whose place nothing else took that was sent.
fn retried(wallet: &Wallet, sources: &[Source<'_>]) -> Vec<usize> {
    let mut must: Vec<usize> = Vec::new();
    for sent in wallet.sent.iter().filter(|sent| wallet.is_open(sent)) {
        let spends = sent.spends();
        let position = |source: &Source<'_>| spends.contains(&source.coin.outpoint);
        if !must.iter().any(|index| position(&sources[*index]))
            && let Some(index) = sources.iter().position(position)
        {
            must.push(index);
        }
    }
    must
}

/// Positions of coins with which a payment that was made, and then replaced by what pays somebody else, is made once more: what
/// the replacement pays back, so that both can never be mined.
fn settled(wallet: &Wallet, own: &KeyTable, request: &Request, sources: &[Source<'_>], must: &mut Vec<usize>) {
    for sent in wallet.sent.iter().filter(|sent| sent.pays_the_same(request, own)) {
        let mut replacements = wallet.all_replacements(&sent.txid);
        replacements.retain(|one| wallet.excludes(one, sent));
        let spends = sent.spends();
        let of_it = |coin: &OutPoint| {
            spends.contains(coin) || replacements.iter().any(|replacement| replacement.txid == coin.txid)
        };
        if !replacements.is_empty()
            && !must.iter().any(|index| of_it(&sources[*index].coin.outpoint))
            && let Some(index) = sources.iter().position(|source| of_it(&source.coin.outpoint))
        {
            must.push(index);
        }
    }
}

/// Builds a payment from the wallet's own coins. The key for change is the first that no transaction sent has used: what is
/// built and never sent must not drive the change beyond what a restore looks at.
///
/// # Errors
/// [`BuildError`].
pub fn coin_request(wallet: &Wallet, funds: &Funds, terms: &Terms, order: &CoinOrder) -> Result<Request, BuildError> {
    let placeholder = Witness::Key([0; 64].into());
    let sources: Vec<_> = funds.spendable.iter().map(|coin| source(coin, placeholder.clone())).collect();
    let own = OwnKeys::new(wallet).table()?;
    let index = wallet.used.change;
    let change = (wallet.keys.lock(Branch::Change, index)?, Some(KeyPath::Coin(Branch::Change, index)));
    let mut must = if funds.chosen { (0..sources.len()).collect() } else { retried(wallet, &sources) };
    loop {
        let draft = draft(wallet, &sources, terms, order, change, &must).map_err(|error| not_enough(error, funds))?;
        let request = Request::new(wallet.network.clone(), terms.height, terms.prices.base, Body::Coin(draft));
        let before = must.len();
        settled(wallet, &own, &request, &sources, &mut must);
        if must.len() == before {
            return Ok(request);
        }
    }
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
    let is_own = |key: &chain_core::transaction::coin::KeyBytes| own.coin(key, None).is_some();
    let mut sources = Vec::new();
    for coin in &funds.spendable {
        let age = terms.next().saturating_sub(coin.height.unwrap_or(terms.next()));
        if let Some(expected) = estimate(&order.policy, &is_own, &order.preimages, terms.next(), age) {
            sources.push(source(coin, expected.witness));
        }
    }
    if sources.is_empty() && !funds.spendable.is_empty() {
        if let Some(height) = opens_at(funds, order, &is_own, terms.next()) {
            let (address, blocks) = (wallet.network.address(&order.policy.lock()), height - terms.next());
            let blocks = if blocks == 1 { "1 block".to_owned() } else { format!("{blocks} blocks") };
            let error = format!(
                "the coins of {address} cannot be spent yet: this wallet can spend them from height {height} on, {blocks} from now"
            );
            return Err(BuildError::Unsatisfiable(error));
        }
        return Err(unsatisfiable(&wallet.network, &order.policy, terms, order.preimages.len()));
    }
    let change = (order.policy.lock(), None);
    let mut draft = draft(wallet, &sources, terms, &order.order, change, &retried(wallet, &sources))
        .map_err(|error| not_enough(error, funds))?;
    for input in &mut draft.inputs {
        input.preimages = order.preimages.iter().copied().map(Hex32).collect();
    }
    Ok(Request::new(wallet.network.clone(), terms.height, terms.prices.base, Body::Coin(draft)))
}

/// The first height at which time alone lets the wallet's own keys spend one of the coins.
fn opens_at(
    funds: &Funds,
    order: &PolicyOrder,
    is_own: &dyn Fn(&chain_core::transaction::coin::KeyBytes) -> bool,
    next: Height,
) -> Option<Height> {
    let heights = |coin: &OwnCoin| {
        let from = coin.height.unwrap_or(next);
        let times = order.policy.0.iter().filter_map(move |node| match node {
            PolicyNode::After(height) => Some(height),
            PolicyNode::Older(blocks) => Some(from.saturating_add(blocks)),
            _ => None,
        });
        let opens = |height: &Height| {
            let age = height.saturating_sub(from);
            estimate(&order.policy, is_own, &order.preimages, *height, age).is_some_and(|found| found.alone)
        };
        times.filter(|height| *height > next).filter(opens).min()
    };
    funds.spendable.iter().filter_map(heights).min()
}

/// What of a payment is kept when it is replaced.
pub(super) struct Replaced<'a> {
    /// The coins that it spends.
    pub(super) must: &'a [OwnCoin],
    /// Coins that may be added.
    pub(super) others: &'a [OwnCoin],
    /// Who is paid.
    pub(super) order: &'a CoinOrder,
    /// Where the change goes.
    pub(super) change: (Lock, Option<KeyPath>),
    /// For coins of policies.
    pub(super) preimages: &'a [[u8; 32]],
}

/// Rebuilds a payment so that it spends at least the same coins.
pub(super) fn replacement(
    wallet: &Wallet,
    own: &KeyTable,
    terms: &Terms,
    replaced: &Replaced<'_>,
) -> Result<CoinRequest, BuildError> {
    let others = match replaced.order {
        CoinOrder::Pay(_) => replaced.others,
        CoinOrder::All(_) => &[],
    };
    let is_own = |key: &chain_core::transaction::coin::KeyBytes| own.coin(key, None).is_some();
    let mut sources = Vec::new();
    for coin in replaced.must.iter().chain(others) {
        let witness = match &coin.unlock {
            Unlock::Key(_) => Witness::Key([0; 64].into()),
            Unlock::Policy(policy) => {
                let age = terms.next().saturating_sub(coin.height.unwrap_or(terms.next()));
                let expected = estimate(policy, &is_own, replaced.preimages, terms.next(), age);
                let impossible = || unsatisfiable(&wallet.network, policy, terms, replaced.preimages.len());
                expected.ok_or_else(impossible)?.witness
            }
        };
        sources.push(source(coin, witness));
    }
    let positions: Vec<usize> = (0..replaced.must.len()).collect();
    let funds = Funds { spendable: others.to_vec(), ..Funds::default() };
    let mut draft = draft(wallet, &sources, terms, replaced.order, replaced.change, &positions)
        .map_err(|error| not_enough(error, &funds))?;
    for input in draft.inputs.iter_mut().filter(|input| input.policy.is_some()) {
        input.preimages = replaced.preimages.iter().copied().map(Hex32).collect();
    }
    Ok(draft)
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
        Drafting::Select(error) => BuildError::NotEnoughCoins { error, sums: funds.sums(), lost_to: funds.lost_to() },
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
            let mut found = select::select_all(&choices, all, price, MAX_BYTES, must).map_err(Drafting::Select)?;
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
    check_outputs(terms, &outputs, selection.fee, dust, wallet)?;
    if let Some(change) = selection.change {
        let place = usize::from(vault::random::<1>().map_err(crate::keys::KeyError::from)?[0]) % (outputs.len() + 1);
        outputs.insert(place, line(wallet, &change_lock, change, change_path));
    }
    let inputs = selection.inputs.iter().map(|index| input(sources[*index].coin)).collect();
    let request = CoinRequest { inputs, outputs, fee: selection.fee };
    request.check(&wallet.network)?;
    check_size(wallet, &choices, &selection, &request)?;
    Ok(request)
}

/// Refuses what nodes do not relay, and says how much would fit.
fn check_size(
    wallet: &Wallet,
    choices: &[Choice],
    selection: &Selection,
    request: &CoinRequest,
) -> Result<(), BuildError> {
    let (tx, _) = request.unsigned(&wallet.network)?;
    let mut largest = selection.inputs.clone();
    largest.sort_by_key(|index| std::cmp::Reverse(choices[*index].amount));
    let fits = select::fitting(choices, &largest, &tx.outputs, MAX_BYTES);
    if fits == largest.len() {
        return Ok(());
    }
    let worth = largest[..fits].iter().map(|index| choices[*index].amount);
    let worth = Amount::sum(worth).map_err(|_| BuildError::TooLarge)?;
    Err(BuildError::TooManyInputs { count: largest.len(), fits, worth })
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
