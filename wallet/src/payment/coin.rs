//! Payments in coins.

use cairn_client::counted;
use chain_core::{
    transaction::{
        coin::{KeyBytes, Lock, OutPoint, Output, Witness},
        policy::{Policy, PolicyNode},
    },
    units::{Amount, Height},
};

use super::{MAX_BYTES, PaymentError, Terms, Withheld, check_fee, lacking, unsatisfiable};
use crate::{
    coins::{Coins, OwnCoin, Unlock},
    draft::{Body, CoinDraft, Draft, Hex32, Input, OutputLine, estimate},
    fees,
    file::Wallet,
    keys::{Branch, KeyPath},
    own::KeyTable,
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
    pub policy: Policy,
    /// Who is paid; change returns to the policy.
    pub order: CoinOrder,
    pub preimages: Vec<Hex32>,
}

/// A coin with its place in a draft.
struct Source<'a> {
    coin: &'a OwnCoin,
    choice: Choice,
}

/// A coin with a witness of the size that it will have; nothing if its policy cannot be satisfied, even if all sign.
fn source<'a>(
    coin: &'a OwnCoin,
    own: &dyn Fn(&KeyBytes) -> bool,
    terms: &Terms,
    preimages: &[Hex32],
) -> Option<Source<'a>> {
    let witness = match &coin.unlock {
        Unlock::Key(_) => Witness::Key([0; 64].into()),
        Unlock::Policy(policy) => {
            let age = terms.next().saturating_sub(coin.height.unwrap_or(terms.next()));
            estimate(policy, own, preimages, terms.next(), age)?.witness
        }
    };
    Some(Source { coin, choice: Choice { outpoint: coin.outpoint, amount: coin.output.amount, witness } })
}

/// Positions of coins that must be spent so that no refused transaction can ever be mined beside this one: one coin of each
/// that no other transaction conflicts with.
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

/// Positions of coins to spend if a draft repeats a payment that was replaced by another: change of the replacement, so that the
/// draft and the first payment can never both be mined.
fn settled(wallet: &Wallet, own: &KeyTable, draft: &Draft, sources: &[Source<'_>], must: &mut Vec<usize>) {
    for sent in wallet.sent.iter().filter(|sent| sent.pays_the_same(draft, own)) {
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
pub fn coin_payment(wallet: &Wallet, coins: &Coins, terms: &Terms, order: &CoinOrder) -> Result<Draft, PaymentError> {
    let sources: Vec<_> = coins.spendable.iter().filter_map(|coin| source(coin, &|_| true, terms, &[])).collect();
    let own = wallet.key_table()?;
    let index = wallet.used.change;
    let change = (wallet.keys.lock(Branch::Change, index)?, Some(KeyPath::Coin(Branch::Change, index)));
    let mut must = if coins.chosen { (0..sources.len()).collect() } else { retried(wallet, &sources) };
    loop {
        let body = Body::Coin(assemble(wallet, &sources, terms, order, change, &must, coins)?);
        let draft = terms.draft(wallet, body);
        let before = must.len();
        settled(wallet, &own, &draft, &sources, &mut must);
        if must.len() == before {
            return Ok(draft);
        }
    }
}

/// Builds a payment from the coins of a policy.
///
/// # Errors
/// [`PaymentError::Refused`] if no signatures could unlock them now.
pub fn policy_payment(
    wallet: &Wallet,
    own: &KeyTable,
    coins: &Coins,
    terms: &Terms,
    order: &PolicyOrder,
) -> Result<Draft, PaymentError> {
    let (own, preimages) = (&|key: &KeyBytes| own.has(key), &order.preimages);
    let sources: Vec<_> = coins.spendable.iter().filter_map(|coin| source(coin, own, terms, preimages)).collect();
    if sources.is_empty() && !coins.spendable.is_empty() {
        if let Some(height) = opens_at(coins, order, own, terms.next()) {
            let (address, blocks) = (wallet.network.address(&order.policy.lock()), height - terms.next());
            let blocks = counted(blocks, "block");
            let error = format!(
                "the coins of {address} cannot be spent yet: this wallet can spend them from height {height} on, {blocks} from now"
            );
            return Err(PaymentError::Refused(error));
        }
        return Err(unsatisfiable(&wallet.network, &order.policy, terms, order.preimages.len()));
    }
    let change = (order.policy.lock(), None);
    let mut draft = assemble(wallet, &sources, terms, &order.order, change, &retried(wallet, &sources), coins)?;
    for input in &mut draft.inputs {
        input.preimages = order.preimages.clone();
    }
    Ok(terms.draft(wallet, Body::Coin(draft)))
}

/// The first height at which time alone lets the wallet's own keys spend one of the coins.
fn opens_at(coins: &Coins, order: &PolicyOrder, own: &dyn Fn(&KeyBytes) -> bool, next: Height) -> Option<Height> {
    let heights = |coin: &OwnCoin| {
        let from = coin.height.unwrap_or(next);
        let times = order.policy.0.iter().filter_map(move |node| match node {
            PolicyNode::After(height) => Some(height),
            PolicyNode::Older(blocks) => Some(from.saturating_add(blocks)),
            _ => None,
        });
        let opens = |height: &Height| {
            let age = height.saturating_sub(from);
            estimate(&order.policy, own, &order.preimages, *height, age).is_some_and(|found| found.alone)
        };
        times.filter(|height| *height > next).filter(opens).min()
    };
    coins.spendable.iter().filter_map(heights).min()
}

/// What of a payment is kept when it is replaced.
pub(super) struct Replaced<'a> {
    /// The coins that it spends.
    pub(super) must: &'a [OwnCoin],
    /// Coins that may be added.
    pub(super) others: &'a [OwnCoin],
    pub(super) order: &'a CoinOrder,
    /// Where the change goes.
    pub(super) change: (Lock, Option<KeyPath>),
    /// For coins of policies.
    pub(super) preimages: &'a [Hex32],
}

/// Rebuilds a payment so that it spends at least the same coins.
pub(super) fn replacement(
    wallet: &Wallet,
    own: &KeyTable,
    terms: &Terms,
    replaced: &Replaced<'_>,
) -> Result<CoinDraft, PaymentError> {
    let others = match replaced.order {
        CoinOrder::Pay(_) => replaced.others,
        CoinOrder::All(_) => &[],
    };
    let mut sources = Vec::new();
    for coin in replaced.must.iter().chain(others) {
        match (source(coin, &|key| own.has(key), terms, replaced.preimages), &coin.unlock) {
            (None, Unlock::Policy(policy)) => {
                return Err(unsatisfiable(&wallet.network, policy, terms, replaced.preimages.len()));
            }
            (found, _) => sources.extend(found),
        }
    }
    let positions: Vec<usize> = (0..replaced.must.len()).collect();
    let coins = Coins { spendable: others.to_vec(), ..Coins::default() };
    let mut draft = assemble(wallet, &sources, terms, replaced.order, replaced.change, &positions, &coins)?;
    for input in draft.inputs.iter_mut().filter(|input| input.policy.is_some()) {
        input.preimages = replaced.preimages.to_vec();
    }
    Ok(draft)
}

fn not_enough(error: SelectError, coins: &Coins, choices: &[Choice], terms: &Terms) -> PaymentError {
    let error = match error {
        SelectError::Fee(error) => error.into(),
        SelectError::TooLarge => PaymentError::TooLarge,
        error => PaymentError::NotEnoughCoins { error, withheld: withheld(coins, choices, terms).into() },
    };
    lacking(terms, error)
}

fn withheld(coins: &Coins, choices: &[Choice], terms: &Terms) -> Withheld {
    let price = terms.prices.coin();
    Withheld {
        sums: coins.sums(),
        lost_to: coins.lost_to(),
        ripen_in: coins.immature.iter().filter_map(|coin| coin.ripens_in(terms.maturity, terms.height)).min(),
        uneconomic: select::uneconomic(choices, price),
        price,
        by_tip: terms.prices.tip > terms.prices.base,
    }
}

fn assemble(
    wallet: &Wallet,
    sources: &[Source<'_>],
    terms: &Terms,
    order: &CoinOrder,
    (change_lock, change_path): (Lock, Option<KeyPath>),
    must: &[usize],
    coins: &Coins,
) -> Result<CoinDraft, PaymentError> {
    let dust = fees::dust_limit(&terms.prices)?;
    let choices: Vec<Choice> = sources.iter().map(|source| source.choice.clone()).collect();
    let not_enough = |error| not_enough(error, coins, &choices, terms);
    let price = terms.prices.coin();
    let mut outputs = Vec::new();
    let selection: Selection = match order {
        CoinOrder::All(lock) => {
            let all = Output { amount: Amount::ZERO, lock: *lock };
            let mut found = select::select_all(&choices, all, price, MAX_BYTES, must).map_err(not_enough)?;
            let all = line(wallet, lock, found.change.take().unwrap_or_default(), None);
            outputs.push(OutputLine { rest: true, ..all });
            found
        }
        CoinOrder::Pay(payments) => {
            let paid = check_payments(wallet, payments)?;
            outputs.extend(payments.iter().map(|(lock, amount)| line(wallet, lock, *amount, None)));
            let change = Output { amount: Amount::ZERO, lock: change_lock };
            let order = Order { outputs: &paid, change, price, dust, must };
            select::select(&choices, &order).map_err(not_enough)?
        }
    };
    check_outputs(terms, &outputs, selection.fee, dust, wallet)?;
    if let Some(change) = selection.change {
        let place = usize::from(vault::random::<1>().map_err(crate::keys::KeyError::from)?[0]) % (outputs.len() + 1);
        outputs.insert(place, line(wallet, &change_lock, change, change_path));
    }
    let inputs = selection.inputs.iter().map(|index| input(sources[*index].coin)).collect();
    let draft = CoinDraft { inputs, outputs, fee: selection.fee };
    draft.check(&wallet.network)?;
    check_size(wallet, &choices, &selection, &draft)?;
    Ok(draft)
}

/// Refuses what nodes do not relay, and says how much would fit.
fn check_size(
    wallet: &Wallet,
    choices: &[Choice],
    selection: &Selection,
    draft: &CoinDraft,
) -> Result<(), PaymentError> {
    let (tx, _) = draft.unsigned(&wallet.network)?;
    let mut largest = selection.inputs.clone();
    largest.sort_by_key(|index| std::cmp::Reverse(choices[*index].amount));
    let fits = select::fitting(choices, &largest, &tx.outputs, MAX_BYTES);
    if fits == largest.len() {
        return Ok(());
    }
    let worth = largest[..fits].iter().map(|index| choices[*index].amount);
    let worth = Amount::sum(worth).map_err(|_| PaymentError::TooLarge)?;
    Err(PaymentError::TooManyInputs { count: largest.len(), fits, worth })
}

fn check_payments(wallet: &Wallet, payments: &[(Lock, Amount)]) -> Result<Vec<Output>, PaymentError> {
    if payments.is_empty() {
        return Err(PaymentError::Nobody);
    }
    for (index, (lock, _)) in payments.iter().enumerate() {
        if payments[..index].iter().any(|(earlier, _)| earlier == lock) {
            return Err(PaymentError::Twice(wallet.network.address(lock)));
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
) -> Result<(), PaymentError> {
    for line in outputs {
        let is_coin = !matches!(wallet.network.destination(&line.to)?, Lock::Account(_));
        if is_coin && line.amount < dust {
            return Err(PaymentError::Refused(format!(
                "{} would be paid too little: {} CRN is dust: spending it would cost {dust} CRN",
                line.to, line.amount
            )));
        }
    }
    let sent = Amount::sum(outputs.iter().map(|line| line.amount)).map_err(|_| PaymentError::TooLarge)?;
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
