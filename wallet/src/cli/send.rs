//! `send`, `transfer`, `deposit`, `withdraw`.

use std::collections::HashSet;

use chain_core::{address::AddressError, transaction::coin::Lock, units::Amount};

use super::{
    args::{BuildCommand, DepositArgs, FeeArgs, TransferArgs, Wait, WithdrawArgs},
    context::Context,
    contract,
    parse::{handed_out, read_coin, split_payments},
    screen::{self, Report},
    session::{Online, Session},
};
use crate::{
    coins::{self, Coins},
    contract::Interface,
    draft::{Body, CoinDraft, Draft, Input},
    error::{WalletError, usage},
    fees::{self, KEY_INPUT_GAS},
    file::Wallet,
    money::{self, parse_grains},
    node::NodeError,
    payment::{AccountOrder, AccountValue, CoinOrder, PaymentError, Terms, coin_payment},
};

/// Sends a transaction.
pub fn execute(context: &Context, what: &BuildCommand, wait: Wait) -> Result<Report, WalletError> {
    let mut session = Session::open(context)?;
    session.name(what.label())?;
    match build(session.online(), what)? {
        (draft, Some(interface)) => contract::finish(session, draft, &interface, wait),
        (draft, None) => session.finish(draft, wait),
    }
}

/// Builds a transaction. One that runs code comes with what explains its outcome.
pub fn build(online: Online, what: &BuildCommand) -> Result<(Draft, Option<Interface>), WalletError> {
    let draft = match what {
        BuildCommand::Send(args) => {
            let order = coin_order(online.wallet, &args.payments, args.max)?;
            refuse_accounts(&order)?;
            pay_coins(online, &order, &args.coins, &args.fees)
        }
        BuildCommand::Transfer(args) => transfer(online, args),
        BuildCommand::Deposit(args) => deposit(online, args),
        BuildCommand::Withdraw(args) => withdraw(online, args),
        BuildCommand::Deploy(args) => return contract::deploy(online, args),
        BuildCommand::Call(args) => return contract::call(online, args),
    };
    Ok((draft?, None))
}

/// `send` pays coin addresses: who writes an account there may well mean to pay from one.
fn refuse_accounts(order: &CoinOrder) -> Result<(), WalletError> {
    let (lock, amount) = match order {
        CoinOrder::All(lock) => (Some(lock), "--max".to_owned()),
        CoinOrder::Pay(payments) => {
            let paid = payments.iter().find(|(lock, _)| matches!(lock, Lock::Account(_)));
            (paid.map(|(lock, _)| lock), paid.map(|(_, amount)| amount.to_string()).unwrap_or_default())
        }
    };
    match lock {
        Some(Lock::Account(account)) => Err(usage!(
            "{account} is an account, and `send` pays coin addresses: pay it from an account with `transfer {account} \
             {amount}`, or out of coins with `deposit {amount} --to {account}`"
        )),
        _ => Ok(()),
    }
}

/// Reads payments in coins: `ADDRESS=AMOUNT`, or one bare address for everything.
pub fn coin_order(wallet: &Wallet, payments: &[String], max: bool) -> Result<CoinOrder, WalletError> {
    if max {
        return match payments {
            [one] if !one.contains('=') => Ok(CoinOrder::All(wallet.network.destination(one)?)),
            _ => Err(usage!("--max goes with one bare ADDRESS, without an amount")),
        };
    }
    let pay = split_payments(payments)?.into_iter().map(|(address, amount)| {
        let lock = wallet.network.destination(address)?;
        Ok((lock, parse_grains(amount)?))
    });
    Ok(CoinOrder::Pay(pay.collect::<Result<_, WalletError>>()?))
}

/// Finds the coins and builds a payment from them.
pub fn pay_coins(online: Online, order: &CoinOrder, chosen: &[String], fees: &FeeArgs) -> Result<Draft, WalletError> {
    let (terms, wallet) = (online.terms(fees)?, online.wallet);
    let mut coins = coins::load(online.node, wallet, terms.first_block)?;
    if !chosen.is_empty() {
        let chosen = chosen.iter().map(|text| read_coin(text)).collect::<Result<Vec<_>, _>>()?;
        coins = coins.choose(&chosen).map_err(WalletError::Usage)?;
    }
    let draft = coin_payment(wallet, &coins, &terms, order)?;
    if let (CoinOrder::All(_), Body::Coin(coin)) = (order, &draft.transaction) {
        warn_of_rest(coin, &coins, &terms)?;
    }
    Ok(draft)
}

/// Says what one transaction that takes everything had no room for.
fn warn_of_rest(coin: &CoinDraft, coins: &Coins, terms: &Terms) -> Result<(), WalletError> {
    let cost = fees::fee(KEY_INPUT_GAS, terms.prices.coin())?;
    let taken: HashSet<_> = coin.inputs.iter().map(Input::outpoint).collect();
    let left = coins.spendable.iter().filter(|own| !taken.contains(&own.outpoint) && own.output.amount > cost);
    let left: Vec<Amount> = left.map(|own| own.output.amount).collect();
    if !left.is_empty() {
        let sum = Amount::sum(left.iter().copied()).unwrap_or(Amount::from_grains(u64::MAX));
        screen::warn(&format!(
            "one transaction has room for the {} largest coins; {} of {sum} CRN {} left: repeat it for them, with --again",
            taken.len(),
            screen::counted(left.len() as u64, "coin"),
            if left.len() == 1 { "is" } else { "are" },
        ));
    }
    Ok(())
}

/// Whether the node ran code of the receiver, which failed.
fn runs_code(error: &NodeError) -> bool {
    matches!(error, NodeError::Refused { method, code: 3 | -32000, .. } if method == "eth_estimateGas")
}

fn transfer(online: Online, args: &TransferArgs) -> Result<Draft, WalletError> {
    let network = &online.wallet.network;
    let (address, value) = match (&args.payment[..], args.max) {
        ([one], true) if !one.contains('=') => (one.as_str(), AccountValue::All),
        (_, true) => return Err(usage!("--max goes with a bare ACCOUNT, without an amount")),
        (texts, false) => match split_payments(texts)?[..] {
            [(address, amount)] => (address, AccountValue::Wei(money::parse_wei(amount)?)),
            _ => return Err(usage!("an account pays one account at a time")),
        },
    };
    let to = match network.destination(address) {
        Ok(Lock::Account(to)) => to,
        Ok(_) => {
            return Err(usage!(
                "{address} is a coin address: pay it with `send`, or from an account with `withdraw --to`"
            ));
        }
        // Of neither kind: an account is what is asked for.
        Err(bad) if matches!(bad.error, AddressError::Unknown { .. }) => network.account(address)?,
        Err(bad) => return Err(bad.into()),
    };
    let draft = online.account_draft(&args.from, args.nonce, &args.fees, &AccountOrder::transfer(to, value));
    draft.map_err(|error| match error {
        WalletError::Payment(PaymentError::Node(error)) if runs_code(&error) => {
            let what = format!("{to} is a contract and refuses the payment, so nothing was sent");
            contract::refused(&what, &Interface::default(), error)
        }
        other => other,
    })
}

fn deposit(online: Online, args: &DepositArgs) -> Result<Draft, WalletError> {
    let wallet = online.wallet;
    let account = match args.to.parse::<u32>() {
        Ok(index) => wallet.keys.account(handed_out(wallet, index)?)?,
        Err(_) => wallet.network.account(&args.to)?,
    };
    let lock = Lock::Account(account);
    let order = match &args.amount {
        Some(amount) => CoinOrder::Pay(vec![(lock, parse_grains(amount)?)]),
        None => CoinOrder::All(lock),
    };
    pay_coins(online, &order, &args.coins, &args.fees)
}

fn withdraw(online: Online, args: &WithdrawArgs) -> Result<Draft, WalletError> {
    let wallet = online.wallet;
    let to = match &args.to {
        Some(text) => wallet.network.coin_address(text)?,
        None => wallet.receive_lock()?,
    };
    let value = match &args.amount {
        Some(amount) => AccountValue::Wei(parse_grains(amount)?.to_wei()),
        None => AccountValue::All,
    };
    online.account_draft(&args.from, args.nonce, &args.fees, &AccountOrder::withdraw(&to, value))
}
