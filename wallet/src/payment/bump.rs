//! Replacing what was sent at a higher price: by the same, or by one that pays only the sender.

use alloy_primitives::U256;
use chain_core::{
    execute::{IntrinsicGas, Revision},
    transaction::coin::{Lock, Output},
    units::{Amount, Gas},
};

use super::{
    CoinOrder, PaymentError, Shortage, Terms, check_fee,
    coin::{Replaced, replacement},
    lacking,
};
use crate::{
    coins::{Coins, OwnCoin, Unlock},
    draft::{AccountDraft, Body, CoinDraft, Draft, Hex32, Input, OutputLine},
    fees,
    file::{Wallet, is_change},
    keys::{Branch, KeyPath},
    own::{KeyTable, Owner},
};

/// What a transaction of the mempool takes and pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    pub gas: Gas,
    pub fee: Amount,
}

/// By how much a replacement must pay more than what it pushes out, and what is kept of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BumpOptions {
    /// Whether only the sender is paid: coins return to the wallet, an account transaction calls and pays no one.
    pub cancel: bool,
    /// What the node wants more, in percent.
    pub percent: u64,
    /// What the mempool drops: the transaction itself, then those that spend what it pays. A node compares with the one of the highest price
    /// of gas, and with all of them together. Empty for an account, whose next nonces stay.
    pub dropped: Vec<Weight>,
}

impl BumpOptions {
    /// The least price that replaces another.
    fn least(&self, old: U256) -> U256 {
        let hundred = U256::from(100);
        old.saturating_mul(U256::from(self.percent.saturating_add(100))).div_ceil(hundred) + U256::from(1)
    }

    /// The least fee of all together.
    fn least_fee(&self) -> U256 {
        let sum = self.dropped.iter().fold(U256::ZERO, |sum, weight| sum.saturating_add(weight.fee.to_wei()));
        self.least(sum)
    }

    /// The least price of gas for a transaction of so much gas.
    fn least_price(&self, gas: Gas) -> U256 {
        let per_gas = |wei: U256, gas: Gas| wei.div_ceil(U256::from(gas.max(1)));
        let dearest = self.dropped.iter().map(|weight| self.least(per_gas(weight.fee.to_wei(), weight.gas))).max();
        dearest.unwrap_or_default().max(per_gas(self.least_fee(), gas))
    }
}

/// Rounds in which a price is raised until the fee suffices: the second is needed where the change vanishes.
const ROUNDS: usize = 4;

/// Builds the same payment at a higher price: the change shrinks, and where it does not suffice coins are added. If all
/// was sent to one, that one receives less. `coins` are other coins that may be added: of the wallet, or of the policy.
pub fn bump_coin(
    wallet: &Wallet,
    own: &KeyTable,
    old: &CoinDraft,
    coins: &Coins,
    terms: &Terms,
    options: &BumpOptions,
) -> Result<Draft, PaymentError> {
    let spent = owner_locks(wallet, own, old)?;
    let must: Vec<OwnCoin> = old.inputs.iter().map(|input| spent_coin(wallet, input)).collect::<Result<_, _>>()?;
    let change = change_of(wallet, own, old, &spent)?;
    let order = if options.cancel { CoinOrder::All(change.0) } else { kept_order(wallet, own, old, &spent)? };
    let preimages: Vec<Hex32> = old.inputs.iter().flat_map(|input| input.preimages.clone()).collect();
    // Nothing of the mempool, which could descend from what is replaced, and nothing twice: a node that has lost the
    // transaction lists its coins as unspent.
    let may_add = |coin: &&OwnCoin| {
        let known = must.iter().any(|kept| kept.outpoint == coin.outpoint);
        coin.height.is_some() && !known
    };
    let others: Vec<OwnCoin> = coins.spendable.iter().filter(may_add).cloned().collect();
    let replaced = Replaced { must: &must, others: &others, order: &order, change, preimages: &preimages };
    let gas = options.dropped.first().map_or(1, |weight| weight.gas);
    let least_fee = Amount::from_wei_ceil(options.least_fee()).ok_or(PaymentError::TooLarge)?;
    let (mut price, one) = (options.least_price(gas), U256::from(1));
    for _ in 0..ROUNDS {
        let draft = replacement(wallet, own, &at_least(terms, price)?, &replaced)?;
        if draft.fee >= least_fee {
            return Ok(terms.draft(wallet, Body::Coin(draft)));
        }
        // Less gas than the old one: the change was left out.
        price = price
            .saturating_mul(U256::from(least_fee.grains()))
            .div_ceil(U256::from(draft.fee.grains().max(1)))
            .saturating_add(one);
    }
    Err(PaymentError::Refused("no fee was found that replaces it: give a higher --fee-rate".into()))
}

/// The terms with a tip that makes the price of coins at least this.
fn at_least(terms: &Terms, price: U256) -> Result<Terms, PaymentError> {
    let price = u128::try_from(price).map_err(|_| PaymentError::TooLarge)?;
    let short = u64::try_from(price.saturating_sub(terms.prices.coin())).map_err(|_| PaymentError::TooLarge)?;
    let mut terms = terms.clone();
    terms.prices.tip = terms.prices.tip.checked_add(short).ok_or(PaymentError::TooLarge)?;
    Ok(terms)
}

/// The locks of the coins that are spent, which all have one owner: the wallet's keys, or one policy that it keeps.
///
/// # Errors
/// [`PaymentError::Refused`]: what comes back goes to one lock, so coins of several owners would change hands.
fn owner_locks(wallet: &Wallet, own: &KeyTable, old: &CoinDraft) -> Result<Vec<Lock>, PaymentError> {
    let locks = old.inputs.iter().map(|input| Ok(wallet.network.coin_address(&input.address)?));
    let locks: Vec<Lock> = locks.collect::<Result<_, PaymentError>>()?;
    if let Some(foreign) = locks.iter().find(|lock| own.owner(lock) == Owner::Foreign) {
        return Err(PaymentError::Refused(format!(
            "it spends a coin of {}, which is neither under a key of this wallet nor under a policy that it keeps \
             (`cairn-wallet policy create` keeps one)",
            wallet.network.address(foreign)
        )));
    }
    let is_key = |lock: &Lock| matches!(own.owner(lock), Owner::Key(_));
    let same = |pair: &[Lock]| is_key(&pair[0]) && is_key(&pair[1]) || pair[0] == pair[1];
    match locks.windows(2).find(|pair| !same(pair)) {
        None => Ok(locks),
        Some(pair) => Err(PaymentError::Refused(format!(
            "it spends coins of several owners, as of {} and of {}: one of them would get what is left of the other's",
            wallet.network.address(&pair[0]),
            wallet.network.address(&pair[1])
        ))),
    }
}

/// The outputs that are change, and those that are payments.
fn change_and_kept<'a>(
    wallet: &Wallet,
    own: &KeyTable,
    old: &'a CoinDraft,
    spent: &[Lock],
) -> Result<(Vec<&'a OutputLine>, Vec<&'a OutputLine>), PaymentError> {
    let (mut change, mut kept) = (Vec::new(), Vec::new());
    for line in &old.outputs {
        let returns = is_change(own, spent, &wallet.network.destination(&line.to)?);
        if returns { change.push(line) } else { kept.push(line) }
    }
    Ok((change, kept))
}

/// Who is paid by the replacement too.
fn kept_order(wallet: &Wallet, own: &KeyTable, old: &CoinDraft, spent: &[Lock]) -> Result<CoinOrder, PaymentError> {
    let (_, kept) = change_and_kept(wallet, own, old, spent)?;
    match &kept[..] {
        // It gathers coins, or cancels what was sent before.
        [] if old.outputs.len() == 1 => Ok(CoinOrder::All(wallet.network.destination(&old.outputs[0].to)?)),
        [] => Err(PaymentError::Refused("it pays only this wallet".into())),
        [one] if one.rest && old.outputs.len() == 1 => Ok(CoinOrder::All(wallet.network.destination(&one.to)?)),
        lines => {
            let pay = lines.iter().map(|line| Ok((wallet.network.destination(&line.to)?, line.amount)));
            Ok(CoinOrder::Pay(pay.collect::<Result<_, PaymentError>>()?))
        }
    }
}

/// Where the change goes: back to the policy that is spent, else where it went, else to a fresh key.
fn change_of(
    wallet: &Wallet,
    own: &KeyTable,
    old: &CoinDraft,
    spent: &[Lock],
) -> Result<(Lock, Option<KeyPath>), PaymentError> {
    if let Some(policy) = spent.iter().find(|lock| matches!(lock, Lock::Policy(_))) {
        return Ok((*policy, None));
    }
    let (change, _) = change_and_kept(wallet, own, old, spent)?;
    if let Some(lock @ Lock::Key(key)) = change.first().map(|line| wallet.network.coin_address(&line.to)).transpose()? {
        return Ok((lock, own.coin(&key, None).map(|(branch, index)| KeyPath::Coin(branch, index))));
    }
    let index = wallet.used.change;
    Ok((wallet.keys.lock(Branch::Change, index)?, Some(KeyPath::Coin(Branch::Change, index))))
}

/// A coin of the transaction that is replaced.
fn spent_coin(wallet: &Wallet, input: &Input) -> Result<OwnCoin, PaymentError> {
    let lock = wallet.network.coin_address(&input.address)?;
    let unlock = match (&input.policy, input.key) {
        (Some(policy), _) => Unlock::Policy(policy.clone()),
        (None, Some(path)) => Unlock::Key(path),
        (None, None) => {
            let what = format!("it spends a coin of {}, which this wallet cannot sign for", input.address);
            return Err(PaymentError::Refused(what));
        }
    };
    Ok(OwnCoin {
        outpoint: input.outpoint(),
        output: Output { amount: input.amount, lock },
        address: input.address.clone(),
        height: input.height,
        coinbase: false,
        mature: true,
        spent_by: None,
        unlock,
    })
}

/// What replaces an account transaction that is cancelled: the same nonce, and nothing happens.
fn nothing(wallet: &Wallet, old: &AccountDraft) -> Result<AccountDraft, PaymentError> {
    let mut draft = AccountDraft {
        to: Some(old.from.clone()),
        value_wei: U256::ZERO,
        input: Vec::new(),
        withdraw_to: None,
        function: None,
        ..old.clone()
    };
    draft.gas_limit = IntrinsicGas::of(Revision::Osaka, &draft.fields(&wallet.network)?).needed();
    Ok(draft)
}

/// Prices with three digits, so that fees do not come out with eighteen decimals: the maximum rises by less than a hundredth, and
/// the tip to a whole number of the same steps.
fn rounded(max_fee: U256, tip: U256) -> (U256, U256) {
    let digits = max_fee.to_string().len();
    let step = U256::from(10).pow(U256::from(digits.saturating_sub(3)));
    let up = |wei: U256| wei.div_ceil(step).saturating_mul(step);
    (up(max_fee), up(tip))
}

/// Builds the same account transaction, or one that does nothing, at a higher price.
pub fn bump_account(
    wallet: &Wallet,
    old: &AccountDraft,
    balance: U256,
    terms: &Terms,
    options: &BumpOptions,
) -> Result<Draft, PaymentError> {
    let mut tip = options.least(old.max_priority_fee_per_gas_wei).max(U256::from(terms.prices.tip));
    let mut max_fee = options.least(old.max_fee_per_gas_wei).max(terms.prices.account_max()).max(tip);
    let kept = if options.cancel { nothing(wallet, old)? } else { old.clone() };
    let gas = U256::from(kept.gas_limit);
    // What is sent stays; an account that was emptied cannot offer twice the base fee.
    let affordable = balance.saturating_sub(kept.value_wei) / gas.max(U256::from(1));
    let least = options.least(old.max_fee_per_gas_wei).max(tip);
    let round = rounded(max_fee, tip);
    if round.0 <= affordable {
        (max_fee, tip) = round;
    } else if max_fee > affordable {
        max_fee = affordable.max(least);
    }
    if max_fee > affordable {
        let fee = max_fee.saturating_mul(gas);
        let (account, needed) = (old.from.clone(), fee.saturating_add(kept.value_wei));
        let (promised, arriving) = (U256::ZERO, U256::ZERO);
        let shortage = Shortage { account, needed, fee, balance, promised, arriving };
        return Err(lacking(terms, PaymentError::NotEnoughInAccount(Box::new(shortage))));
    }
    check_fee(terms, fees::check_wei(max_fee.saturating_mul(gas), old.worth()))?;
    let draft =
        AccountDraft { max_fee_per_gas_wei: max_fee, max_priority_fee_per_gas_wei: tip, signed: Vec::new(), ..kept };
    draft.check(&wallet.network)?;
    Ok(terms.draft(wallet, Body::Account(draft.into())))
}
