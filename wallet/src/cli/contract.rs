//! `deploy`, `call`, `view`.

use std::path::Path;

use alloy_primitives::{Address, U256};
use chain_core::hash::TxId;
use serde_json::{Value as Json, json};

use super::{
    args::{CallArgs, DeployArgs, RunArgs, Target, ViewArgs, Wait},
    context::Context,
    screen::{self, Report},
    send::own_account,
    spend::{self, Session},
};
use crate::{
    build::{AccountOrder, BuildError, RunOrder, Terms, account_request},
    contract::{
        Artifact, Call, ContractError, Interface, log_json, named, named_json, read_artifact, reason, show_log,
        show_named,
    },
    error::WalletError,
    file::{FileError, Wallet},
    input::bounded,
    money::{self, MoneyError, show_wei},
    node::{CallTrace, ChainInfo, Node, NodeError, Receipt, Trial},
    request::Request,
};

/// A request that runs code, with what explains its outcome.
pub struct Prepared {
    /// What is signed.
    pub request: Request,
    interface: Interface,
}

/// Makes a contract.
pub fn deploy(context: &Context, args: &DeployArgs, wait: Wait) -> Result<Report, WalletError> {
    let session = Session::open(context)?;
    let prepared = prepare_deploy(&session.wallet, &session.node, &session.info, args)?;
    finish(session, prepared, wait)
}

/// Calls a contract in a transaction.
pub fn call(context: &Context, args: &CallArgs, wait: Wait) -> Result<Report, WalletError> {
    let session = Session::open(context)?;
    let prepared = prepare_call(&session.wallet, &session.node, &session.info, args)?;
    finish(session, prepared, wait)
}

/// Asks a contract, free of charge.
pub fn view(context: &Context, args: &ViewArgs) -> Result<Report, WalletError> {
    let (node, from) = asker(context, args)?;
    let (address, interface, call) = target(&args.target)?;
    let Call { signature, input, outputs, .. } = call;
    let trial = Trial { from, to: Some(address), value: U256::ZERO, input: input.into() };
    let data = node.try_out(&trial).map_err(|error| refused("the call reverts", &interface, error))?;
    if data.is_empty() && !node.has_code(&address)? {
        return Err(ContractError::Reverted { what: "nothing answers", reason: no_code(&address) }.into());
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

/// The node, and in whose name it is asked: nobody's if there is no wallet.
fn asker(context: &Context, args: &ViewArgs) -> Result<(Node, Address), WalletError> {
    let wallet = match context.wallet() {
        Err(WalletError::File(FileError::Missing(_) | FileError::NoneIn(_))) if args.from.is_none() => {
            let node = context.connect()?;
            node.info()?;
            return Ok((node, Address::ZERO));
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
    let address = chain_core::address::parse_account(&target.address).map_err(|error| {
        WalletError::Usage(format!("'{}' is not the address of a contract: {error}", target.address))
    })?;
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
pub fn prepare_call(wallet: &Wallet, node: &Node, info: &ChainInfo, args: &CallArgs) -> Result<Prepared, WalletError> {
    let (address, interface, call) = target(&args.target)?;
    let value = value(&args.run.value)?;
    if call.refuses_money && !value.is_zero() {
        return Err(ContractError::NotPayable(call.signature.unwrap_or_default()).into());
    }
    if call.reads_only {
        screen::warn("this function only reads: `cairn-wallet view` asks it free of charge");
    }
    let gateway = address == chain_core::execute::GATEWAY;
    if !call.input.is_empty() && !gateway && !node.has_code(&address)? {
        return Err(ContractError::Reverted { what: "nothing would happen", reason: no_code(&address) }.into());
    }
    let (to, gas_limit) = (Some(address), args.run.gas_limit);
    let order = RunOrder { to, value, input: call.input, function: call.signature, gas_limit };
    prepare(wallet, node, info, &args.run, order, interface)
}

/// Builds what makes a contract.
pub fn prepare_deploy(
    wallet: &Wallet,
    node: &Node,
    info: &ChainInfo,
    args: &DeployArgs,
) -> Result<Prepared, WalletError> {
    let artifact = match args.code.strip_prefix("0x") {
        Some(_) => Artifact::bare(&args.code),
        None => read_artifact(Path::new(&args.code), args.contract.as_deref(), true)?,
    };
    let value = value(&args.run.value)?;
    let interface = artifact.interface();
    let mut input = artifact.bytecode()?;
    input.extend(interface.construct(args.constructor.as_deref(), &args.arguments, !value.is_zero())?);
    let order = RunOrder { to: None, value, input, function: None, gas_limit: args.run.gas_limit };
    prepare(wallet, node, info, &args.run, order, interface)
}

fn prepare(
    wallet: &Wallet,
    node: &Node,
    info: &ChainInfo,
    args: &RunArgs,
    order: RunOrder,
    interface: Interface,
) -> Result<Prepared, WalletError> {
    let index = own_account(wallet, &args.from)?;
    let terms = Terms { nonce: args.nonce, ..spend::terms(node, info, &args.fees)? };
    let order = AccountOrder::Run(order);
    let request = account_request(wallet, node, index, &terms, &order).map_err(|error| match error {
        BuildError::Node(error) => refused("it would revert, so nothing was sent", &interface, error),
        other => other.into(),
    })?;
    Ok(Prepared { request, interface })
}

/// A node's refusal to run code, with the reason in words.
fn refused(what: &'static str, interface: &Interface, error: NodeError) -> WalletError {
    match error {
        NodeError::Refused { code: 3, output, .. } => {
            let reason = bounded(&reason(interface, &output.unwrap_or_default()).to_string());
            ContractError::Reverted { what, reason }.into()
        }
        NodeError::Refused { code: -32000, message, .. } => ContractError::Reverted { what, reason: message }.into(),
        other => other.into(),
    }
}

/// Signs, sends, and tells what came of it.
fn finish(session: Session<'_>, prepared: Prepared, wait: Wait) -> Result<Report, WalletError> {
    let Prepared { request, interface } = prepared;
    let node = session.node.clone();
    let mut report = match session.finish(request, wait) {
        Err(WalletError::MinedInVain(txid)) => return Err(in_vain(&node, &interface, &txid)),
        other => other?,
    };
    let txid = report.json["txid"].as_str().and_then(|txid| txid.parse().ok());
    if let (Some(_), Some(txid)) = (wait.blocks(), txid)
        && let Some(receipt) = spend::receipt(&node, &txid)
    {
        report.text += &format!("\n{}", show_receipt(&interface, &receipt));
        add_receipt(&mut report.json, &interface, &receipt);
    } else if let Some(contract) = report.json["contract"].as_str() {
        report.text += &format!("\n{} {contract}, as soon as it is mined", screen::green("Contract:"));
    }
    Ok(report)
}

/// Why a mined transaction failed, if the node can tell.
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

fn show_receipt(interface: &Interface, receipt: &Receipt) -> String {
    let mut text = String::new();
    if let Some(contract) = receipt.contract_address {
        text += &format!("{} {contract}\n", screen::green("Contract:"));
    }
    text += &screen::dim(&format!("{} gas, a fee of {} CRN", receipt.gas_used, show_wei(receipt.fee())));
    for log in &receipt.logs {
        text += &format!("\n  {} {}", screen::short(&log.address.to_string()), show_log(interface, log));
    }
    text
}

fn add_receipt(json: &mut Json, interface: &Interface, receipt: &Receipt) {
    json["logs"] = receipt.logs.iter().map(|log| log_json(interface, log)).collect();
}
