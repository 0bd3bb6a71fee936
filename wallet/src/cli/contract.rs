//! `deploy`, `call`, `view`.

use std::path::Path;

use alloy_primitives::{Address, U256};
use chain_core::hash::TxId;
use serde_json::json;

use super::{
    args::{CallArgs, DeployArgs, RunArgs, Target, ViewArgs, Wait},
    context::Context,
    parse::own_account,
    screen::{self, Report},
    session::{self, Online, Session},
};
use crate::{
    contract::{
        Artifact, Call, ContractError, Interface, log_json, named, named_json, read_artifact, reason, show_log,
        show_named,
    },
    draft::Draft,
    error::{WalletError, usage},
    file::FileError,
    input::bounded,
    money::{self, MoneyError, show_wei},
    node::{CallTrace, Node, NodeError, Receipt, Trial},
    payment::{AccountOrder, AccountValue, PaymentError},
};

/// What was built, and what explains its outcome.
type Built = (Draft, Option<Interface>);

/// Calls a contract without a transaction.
pub fn view(context: &Context, args: &ViewArgs) -> Result<Report, WalletError> {
    let (node, from) = asker(context, args)?;
    let (address, interface, call) = target(&args.target)?;
    let Call { signature, input, outputs, .. } = call;
    let trial = Trial { from, to: Some(address), value: U256::ZERO, input: input.into() };
    let data = node.try_out(&trial).map_err(|error| refused("the call reverts", &interface, error))?;
    if data.is_empty() && !node.has_code(&address)? {
        return Err(ContractError::Reverted { what: "nothing answers".into(), reason: no_code(&address) }.into());
    }
    let mut json = json!({ "contract": address.to_string(), "function": signature, "data": data });
    if outputs.is_empty() {
        let report = Report::new(data.to_string(), json);
        return Ok(match (&signature, data.is_empty()) {
            (Some(signature), false) => report.hint(format!("To see it in words: \"{signature} returns (…)\".")),
            _ => report,
        });
    }
    let results = named(&outputs, &data)?;
    json["results"] = named_json(&results);
    let lines: Vec<String> = results.iter().map(|result| show_named(std::slice::from_ref(result))).collect();
    Ok(Report::new(lines.join("\n"), json))
}

/// The node and the account that calls: the zero address if there is no wallet.
fn asker(context: &Context, args: &ViewArgs) -> Result<(Node, Address), WalletError> {
    let wallet = match context.wallet() {
        Err(WalletError::File(FileError::Missing(_) | FileError::NoneIn(_))) if args.from.is_none() => {
            return Ok((context.any_node()?.0, Address::ZERO));
        }
        other => other?,
    };
    let (node, _) = context.node(&wallet.network)?;
    let from = match &args.from {
        Some(text) if text.starts_with("0x") => wallet.network.account(text)?,
        text => wallet.keys.account(own_account(&wallet, text.as_deref().unwrap_or("0"))?)?,
    };
    Ok((node, from))
}

fn no_code(address: &Address) -> String {
    format!("there is no contract at {address} on this chain")
}

/// What is called, how it is explained, and the call itself.
fn target(target: &Target) -> Result<(Address, Interface, Call), WalletError> {
    let address = chain_core::address::parse_account(&target.address)
        .map_err(|error| usage!("'{}' is not the address of a contract: {error}", target.address))?;
    let interface = match &target.abi {
        None => Interface::default(),
        Some(path) => {
            let artifact = read_artifact(path, target.contract.as_deref(), false)?;
            if !artifact.has_abi() {
                let (file, reason) = (path.display().to_string(), "it has no ABI".into());
                return Err(ContractError::Artifact { file, reason }.into());
            }
            artifact.interface()
        }
    };
    let call = interface.call(&target.function, &target.arguments)?;
    Ok((address, interface, call))
}

/// An amount that may be nothing.
fn value(text: &str) -> Result<U256, WalletError> {
    match money::parse_wei(text) {
        Err(MoneyError::Zero) => Ok(U256::ZERO),
        other => Ok(other?),
    }
}

/// Builds a call.
pub fn call(online: Online, args: &CallArgs) -> Result<Built, WalletError> {
    let (address, interface, call) = target(&args.target)?;
    let value = value(&args.run.value)?;
    if call.refuses_money && !value.is_zero() {
        return Err(ContractError::NotPayable(call.signature.unwrap_or_default()).into());
    }
    if call.reads_only {
        screen::warn("this function only reads: `cairn-wallet view` asks it free of charge");
    }
    let gateway = address == chain_core::execute::GATEWAY;
    if !call.input.is_empty() && !gateway && !online.node.has_code(&address)? {
        return Err(ContractError::Reverted { what: "nothing would happen".into(), reason: no_code(&address) }.into());
    }
    let (to, value, gas_limit) = (Some(address), AccountValue::Wei(value), args.run.gas_limit);
    let order = AccountOrder { to, value, input: call.input, function: call.signature, gas_limit };
    build(online, &args.run, order, interface)
}

/// Builds what makes a contract.
pub fn deploy(online: Online, args: &DeployArgs) -> Result<Built, WalletError> {
    let artifact = match args.code.strip_prefix("0x") {
        Some(_) => Artifact::bare("the contract", &args.code),
        None => read_artifact(Path::new(&args.code), args.contract.as_deref(), true)?,
    };
    let value = value(&args.run.value)?;
    let interface = artifact.interface();
    let mut input = artifact.bytecode()?;
    input.extend(interface.construct(args.constructor.as_deref(), &args.arguments, !value.is_zero())?);
    let (value, gas_limit) = (AccountValue::Wei(value), args.run.gas_limit);
    let order = AccountOrder { to: None, value, input, function: None, gas_limit };
    build(online, &args.run, order, interface)
}

fn build(online: Online, args: &RunArgs, order: AccountOrder, interface: Interface) -> Result<Built, WalletError> {
    let draft = online.account_draft(&args.from, args.nonce, &args.fees, &order);
    let draft = draft.map_err(|error| match error {
        WalletError::Payment(PaymentError::Node(error)) => {
            refused("it would revert, so nothing was sent", &interface, error)
        }
        other => other,
    })?;
    Ok((draft, Some(interface)))
}

/// A node's refusal to run code, with the reason in words.
pub fn refused(what: &str, interface: &Interface, error: NodeError) -> WalletError {
    let what = what.to_owned();
    match error {
        NodeError::Refused { code: 3, output, .. } => {
            let reason = bounded(&reason(interface, &output.unwrap_or_default()).to_string());
            ContractError::Reverted { what, reason }.into()
        }
        NodeError::Refused { code: -32000, message, .. } => ContractError::Reverted { what, reason: message }.into(),
        other => other.into(),
    }
}

/// Signs, sends, and says what came of it.
pub fn finish(session: Session<'_>, draft: Draft, interface: &Interface, wait: Wait) -> Result<Report, WalletError> {
    let node = session.node.clone();
    let mut report = match session.finish(draft, wait) {
        Err(WalletError::MinedInVain(txid)) => return Err(in_vain(&node, interface, &txid)),
        other => other?,
    };
    let txid = report.json["txid"].as_str().and_then(|txid| txid.parse().ok());
    if let (Some(_), Some(txid)) = (wait.blocks(), txid)
        && let Some(receipt) = session::receipt(&node, &txid)
    {
        let contract = report.json["contract"].as_str().map(str::to_owned);
        if receipt.contract_address.is_some_and(|named| Some(named.to_string()) != contract) {
            screen::warn(
                "the node's receipt names another contract than the signed transaction makes: it is wrong, or lies",
            );
        }
        report.text += &format!("\n{}", show_receipt(interface, &receipt, contract.as_deref()));
        report.json["logs"] = receipt.logs.iter().map(|log| log_json(interface, log)).collect();
    } else if !wait.dry_run
        && let Some(contract) = report.json["contract"].as_str()
    {
        report.text += &format!("\n{} {contract}, as soon as it is mined", screen::green("Contract:"));
    }
    Ok(report)
}

/// Why a mined transaction failed, if the node says so.
fn in_vain(node: &Node, interface: &Interface, txid: &TxId) -> WalletError {
    let told = |trace: CallTrace| match trace.error?.as_str() {
        "execution reverted" => Some(bounded(&reason(interface, &trace.output).to_string())),
        halt => Some(bounded(halt)),
    };
    match node.trace(txid).ok().and_then(told) {
        Some(why) => WalletError::Failed { txid: *txid, reason: format!("{}: {why}", WalletError::MinedInVain(*txid)) },
        None => WalletError::MinedInVain(*txid),
    }
}

fn show_receipt(interface: &Interface, receipt: &Receipt, contract: Option<&str>) -> String {
    let mut text = String::new();
    if let Some(contract) = contract {
        text += &format!("{} {contract}\n", screen::green("Contract:"));
    }
    text += &screen::dim(&format!("{} gas, a fee of {} CRN", receipt.gas_used, show_wei(receipt.fee())));
    for log in &receipt.logs {
        text += &format!("\n  {} {}", screen::short(&log.address.to_string()), show_log(interface, log));
    }
    text
}
