//! `policy`: addresses of several keys, times and secrets.

mod check;
mod create;
mod manage;

use super::{
    args::{PolicyCommand, PolicyFund, PolicySpend, Sending, Wait},
    context::Context,
    parse::read_hash,
    screen::{self, Report},
    send,
    session::{Bump, Session},
};
use crate::{
    coins,
    draft::Hex32,
    error::WalletError,
    money::parse_grains,
    payment::{CoinOrder, PolicyOrder, policy_payment},
};

/// Runs one of the policy commands.
pub fn execute(context: &Context, command: PolicyCommand) -> Result<Report, WalletError> {
    match command {
        PolicyCommand::Key => create::key(context),
        PolicyCommand::Secret => create::secret(),
        PolicyCommand::Create(args) => create::create(context, &args),
        PolicyCommand::Multisig(args) => create::multisig(context, args),
        PolicyCommand::Htlc(args) => create::htlc(context, args),
        PolicyCommand::Timelock(args) => create::timelock(context, args),
        PolicyCommand::List => manage::list(&context.wallet()?),
        PolicyCommand::Show { name } => manage::show(context, &name),
        PolicyCommand::Rename(args) => manage::rename(context, &args),
        PolicyCommand::Remove(args) => manage::remove(context, &args),
        PolicyCommand::Export { names } => manage::export(context, &names),
        PolicyCommand::Import(args) => manage::import(context, &args),
        PolicyCommand::Fund(Sending { args, wait }) => fund(context, &args, wait),
        PolicyCommand::Spend(Sending { args, wait }) => spend(context, &args, wait),
    }
}

fn fund(context: &Context, args: &PolicyFund, wait: Wait) -> Result<Report, WalletError> {
    let session = Session::open(context)?;
    let named = manage::found(&session.wallet, &args.name)?;
    let times = check::check(&named.policy, Some(&session.info), args.yes_really)?;
    times.iter().for_each(|line| screen::warn(line));
    let order = CoinOrder::Pay(vec![(named.policy.lock(), parse_grains(&args.amount)?)]);
    let draft = send::pay_coins(session.online(), &order, &[], &args.fees)?;
    session.finish(draft, wait)
}

fn spend(context: &Context, args: &PolicySpend, wait: Wait) -> Result<Report, WalletError> {
    let session = Session::open(context)?;
    let named = manage::found(&session.wallet, &args.name)?;
    let preimages = args.preimage.iter().map(|text| Ok(Hex32(read_hash(text, "preimage")?)));
    let preimages = preimages.collect::<Result<Vec<_>, WalletError>>()?;
    check::check_preimages(&named.policy, &preimages)?;
    let order = match &args.payments[..] {
        [] => CoinOrder::All(session.wallet.receive_lock()?),
        payments => send::coin_order(&session.wallet, payments, payments.len() == 1 && !payments[0].contains('='))?,
    };
    let terms = session.online().terms(&args.fees)?;
    let coins = coins::load_policy(&session.node, &session.wallet, &named.policy, terms.first_block)?;
    let own = session.wallet.key_table()?;
    if !preimages.is_empty() {
        check::check_claim(&named.policy, &own, &coins.spendable, terms.next(), args.yes_really)?;
    }
    let order = PolicyOrder { policy: named.policy.clone(), order, preimages };
    let draft = policy_payment(&session.wallet, &own, &coins, &terms, &order)?;
    let out = args.out.clone().unwrap_or_else(|| format!("{}-spend.json", named.name).into());
    let warning = session.check_again(&draft, wait)?;
    session.finish_with(draft, Bump { warning, file: Some((out, args.force)), ..Bump::default() }, wait)
}
