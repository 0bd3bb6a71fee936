//! `send`, `transfer`, `deposit`, `withdraw`.

use std::collections::HashSet;

use chain_core::{transaction::coin::Lock, units::Amount};

use super::{
    args::{BuildCommand, DepositArgs, SendArgs, TransferArgs, Wait, WithdrawArgs},
    coins::read_coin,
    context::Context,
    contract,
    screen::{self, Report},
    spend::{self, Session, grains, split_payments},
};
use crate::{
    build::{AccountOrder, CoinOrder, Terms, Value, account_request, coin_request},
    error::WalletError,
    fees::{self, KEY_INPUT_GAS},
    file::Wallet,
    funds::{self, Funds},
    keys::Branch,
    money,
    node::{ChainInfo, Node},
    request::{Body, CoinRequest, Input, Request},
};

/// Pays in coins.
pub fn send(context: &Context, args: &SendArgs, wait: Wait) -> Result<Report, WalletError> {
    let mut session = Session::open(context)?;
    session.name(args.label.as_deref())?;
    let request = build_send(&session.wallet, &session.node, &session.info, args)?;
    session.finish(request, wait)
}

/// Pays from an account.
pub fn transfer(context: &Context, args: &TransferArgs, wait: Wait) -> Result<Report, WalletError> {
    let mut session = Session::open(context)?;
    session.name(args.label.as_deref())?;
    let request = build_transfer(&session.wallet, &session.node, &session.info, args)?;
    session.finish(request, wait)
}

/// Turns coins into account money.
pub fn deposit(context: &Context, args: &DepositArgs, wait: Wait) -> Result<Report, WalletError> {
    let session = Session::open(context)?;
    let request = build_deposit(&session.wallet, &session.node, &session.info, args)?;
    session.finish(request, wait)
}

/// Turns account money into coins.
pub fn withdraw(context: &Context, args: &WithdrawArgs, wait: Wait) -> Result<Report, WalletError> {
    let session = Session::open(context)?;
    let request = build_withdraw(&session.wallet, &session.node, &session.info, args)?;
    session.finish(request, wait)
}

/// Builds any of them.
pub fn build(wallet: &Wallet, node: &Node, info: &ChainInfo, what: &BuildCommand) -> Result<Request, WalletError> {
    match what {
        BuildCommand::Send(args) => build_send(wallet, node, info, args),
        BuildCommand::Transfer(args) => build_transfer(wallet, node, info, args),
        BuildCommand::Deposit(args) => build_deposit(wallet, node, info, args),
        BuildCommand::Withdraw(args) => build_withdraw(wallet, node, info, args),
        BuildCommand::Deploy(args) => Ok(contract::prepare_deploy(wallet, node, info, args)?.request),
        BuildCommand::Call(args) => Ok(contract::prepare_call(wallet, node, info, args)?.request),
    }
}

/// Reads payments in coins: `ADDRESS=AMOUNT`, or one bare address for everything.
pub fn coin_order(wallet: &Wallet, payments: &[String], max: bool) -> Result<CoinOrder, WalletError> {
    if max {
        return match payments {
            [one] if !one.contains('=') => Ok(CoinOrder::All(wallet.network.destination(one)?)),
            _ => Err(WalletError::Usage("--max goes with one bare ADDRESS, without an amount".into())),
        };
    }
    let pay = split_payments(payments)?.into_iter().map(|(address, amount)| {
        let lock = wallet.network.destination(address)?;
        Ok((lock, grains(amount)?))
    });
    Ok(CoinOrder::Pay(pay.collect::<Result<_, WalletError>>()?))
}

fn build_send(wallet: &Wallet, node: &Node, info: &ChainInfo, args: &SendArgs) -> Result<Request, WalletError> {
    let order = coin_order(wallet, &args.payments, args.max)?;
    pay_coins(wallet, node, info, &order, &args.coins, &args.fees)
}

/// Finds the coins and builds a payment from them.
pub fn pay_coins(
    wallet: &Wallet,
    node: &Node,
    info: &ChainInfo,
    order: &CoinOrder,
    chosen: &[String],
    fees: &super::args::FeeArgs,
) -> Result<Request, WalletError> {
    let terms = spend::terms(node, info, fees)?;
    let mut funds = funds::load(node, wallet, terms.first_block)?;
    if !chosen.is_empty() {
        let chosen = chosen.iter().map(|text| read_coin(text)).collect::<Result<Vec<_>, _>>()?;
        funds = funds.choose(&chosen).map_err(WalletError::Usage)?;
    }
    let request = coin_request(wallet, &funds, &terms, order)?;
    if let (CoinOrder::All(_), Body::Coin(coin)) = (order, &request.transaction) {
        warn_of_rest(coin, &funds, &terms)?;
    }
    Ok(request)
}

/// Says what one transaction that takes everything had no room for.
fn warn_of_rest(coin: &CoinRequest, funds: &Funds, terms: &Terms) -> Result<(), WalletError> {
    let cost = fees::fee(KEY_INPUT_GAS, terms.prices.coin())?;
    let taken: HashSet<_> = coin.inputs.iter().map(Input::outpoint).collect();
    let left = funds.spendable.iter().filter(|own| !taken.contains(&own.outpoint) && own.output.amount > cost);
    let left: Vec<Amount> = left.map(|own| own.output.amount).collect();
    if !left.is_empty() {
        let sum = Amount::sum(left.iter().copied()).unwrap_or(Amount(u64::MAX));
        screen::warn(&format!(
            "one transaction has room for the {} largest coins; {} of {sum} CRN {} left: repeat it for them, with --again",
            taken.len(),
            screen::counted(left.len() as u64, "coin"),
            if left.len() == 1 { "is" } else { "are" },
        ));
    }
    Ok(())
}

/// The number of one of the wallet's accounts, given by number or address.
pub fn own_account(wallet: &Wallet, text: &str) -> Result<u32, WalletError> {
    if let Ok(index) = text.parse::<u32>() {
        return handed_out(wallet, index);
    }
    let account = wallet.network.account(text)?;
    if let Some((_, index)) = wallet.imported().find(|(imported, _)| *imported == account) {
        return Ok(index);
    }
    for index in 0..wallet.used.accounts.saturating_add(funds::GAP) {
        if wallet.keys.account(index)? == account {
            return handed_out(wallet, index);
        }
    }
    Err(WalletError::Usage(format!("{account} is none of this wallet's accounts")))
}

/// Refuses an account that was never handed out: `balance` does not list it, and no restore finds it.
fn handed_out(wallet: &Wallet, index: u32) -> Result<u32, WalletError> {
    match wallet.used.accounts {
        count if index < count => Ok(index),
        count => Err(WalletError::Usage(format!(
            "account {index} was never handed out (the newest is {}): make accounts with `cairn-wallet address account --new`",
            count.saturating_sub(1)
        ))),
    }
}

fn account_value(amount: Option<&str>, coarse: bool) -> Result<Value, WalletError> {
    match amount {
        None => Ok(Value::All),
        Some(text) if coarse => Ok(Value::Wei(grains(text)?.to_wei())),
        Some(text) => Ok(Value::Wei(money::parse_wei(text)?)),
    }
}

fn build_transfer(wallet: &Wallet, node: &Node, info: &ChainInfo, args: &TransferArgs) -> Result<Request, WalletError> {
    let (address, value) = match (&args.payment[..], args.max) {
        ([one], true) if !one.contains('=') => (one.as_str(), Value::All),
        (_, true) => return Err(WalletError::Usage("--max goes with a bare ACCOUNT, without an amount".into())),
        (texts, false) => match split_payments(texts)?[..] {
            [(address, amount)] => (address, account_value(Some(amount), false)?),
            _ => return Err(WalletError::Usage("an account pays one account at a time".into())),
        },
    };
    let to = match wallet.network.destination(address)? {
        Lock::Account(account) => account,
        _ => {
            return Err(WalletError::Usage(format!(
                "{address} is a coin address: pay it with `send`, or from an account with `withdraw --to`"
            )));
        }
    };
    let from = own_account(wallet, &args.from)?;
    let terms = Terms { nonce: args.nonce, ..spend::terms(node, info, &args.fees)? };
    Ok(account_request(wallet, node, from, &terms, &AccountOrder::Transfer { to, value })?)
}

fn build_deposit(wallet: &Wallet, node: &Node, info: &ChainInfo, args: &DepositArgs) -> Result<Request, WalletError> {
    let account = match args.to.parse::<u32>() {
        Ok(index) => wallet.keys.account(handed_out(wallet, index)?)?,
        Err(_) => wallet.network.account(&args.to)?,
    };
    let lock = Lock::Account(account);
    let order = match &args.amount {
        Some(amount) => CoinOrder::Pay(vec![(lock, grains(amount)?)]),
        None => CoinOrder::All(lock),
    };
    pay_coins(wallet, node, info, &order, &args.coins, &args.fees)
}

fn build_withdraw(wallet: &Wallet, node: &Node, info: &ChainInfo, args: &WithdrawArgs) -> Result<Request, WalletError> {
    let to = match &args.to {
        Some(text) => wallet.network.coin_address(text)?,
        None => wallet.keys.lock(Branch::Receive, wallet.used.receive.saturating_sub(1))?,
    };
    let value = account_value(args.amount.as_deref(), true)?;
    let from = own_account(wallet, &args.from)?;
    let terms = Terms { nonce: args.nonce, ..spend::terms(node, info, &args.fees)? };
    Ok(account_request(wallet, node, from, &terms, &AccountOrder::Withdraw { to, value })?)
}
