//! Functions and their arguments: by JSON ABI or by a signature that the user writes.

use alloy_dyn_abi::{DynSolType, DynSolValue, FunctionExt, JsonAbiExt, Specifier};
use alloy_json_abi::{Constructor, Error, Event, Function, JsonAbi, Param, StateMutability};

use super::{ContractError, value};

/// How signatures of functions are written.
const FUNCTION: &str = "\"transfer(address,uint256) returns (bool)\"";

/// How signatures of constructors are written.
const CONSTRUCTOR: &str = "\"constructor(uint256,address)\"";

/// Event of the built-in contract between accounts and coins.
const WITHDRAWAL: &str = "event Withdrawal(address indexed sender, bytes lock, uint64 grains)";

/// Functions that move money or give power over it and that every token has: what they are called is not a matter of a file.
const WELL_KNOWN: [&str; 24] = [
    "transfer(address,uint256)",
    "transferFrom(address,address,uint256)",
    "approve(address,uint256)",
    "increaseAllowance(address,uint256)",
    "decreaseAllowance(address,uint256)",
    "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
    "setApprovalForAll(address,bool)",
    "safeTransferFrom(address,address,uint256)",
    "safeTransferFrom(address,address,uint256,bytes)",
    "safeTransferFrom(address,address,uint256,uint256,bytes)",
    "safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)",
    "approve(address,address,uint160,uint48)",
    "transferOwnership(address)",
    "renounceOwnership()",
    "grantRole(bytes32,address)",
    "upgradeTo(address)",
    "upgradeToAndCall(address,bytes)",
    "mint(address,uint256)",
    "burn(uint256)",
    "burnFrom(address,uint256)",
    "deposit()",
    "withdraw(uint256)",
    "multicall(bytes[])",
    "execute(address,uint256,bytes)",
];

/// What is known of a contract.
#[derive(Clone, Debug, Default)]
pub struct Interface {
    abi: Option<JsonAbi>,
    /// Events and errors of contracts compiled along with it, which it may call.
    related: Vec<JsonAbi>,
}

/// A call with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Signature with canonical types, as in `transfer(address,uint256)`; none for bare calldata.
    pub signature: Option<String>,
    pub input: Vec<u8>,
    /// What it returns; empty if that is not known.
    pub outputs: Vec<Param>,
    /// Whether the ABI says that it only reads.
    pub reads_only: bool,
    /// Whether the ABI says that it takes no money.
    pub refuses_money: bool,
}

impl Interface {
    /// An interface by its ABI and those of contracts compiled along with it.
    pub fn new(abi: Option<JsonAbi>, related: Vec<JsonAbi>) -> Self {
        Self { abi, related }
    }

    /// Whether anything is known of its errors.
    pub fn has_abi(&self) -> bool {
        self.abi.is_some() || !self.related.is_empty()
    }

    /// Events that it may emit, its own first.
    pub fn events(&self) -> impl Iterator<Item = Event> {
        let gateway = Event::parse(WITHDRAWAL).ok();
        self.abi.iter().chain(&self.related).flat_map(JsonAbi::events).cloned().chain(gateway)
    }

    /// Errors that it may answer, its own first.
    pub fn errors(&self) -> impl Iterator<Item = &Error> {
        self.abi.iter().chain(&self.related).flat_map(JsonAbi::errors)
    }

    /// A call of a function by its name, its signature or as bare calldata (`0x…`).
    ///
    /// # Errors
    /// [`ContractError`], which says what was expected.
    pub fn call(&self, function: &str, arguments: &[String]) -> Result<Call, ContractError> {
        if let Some(digits) = function.strip_prefix("0x") {
            return bare(function, digits, arguments);
        }
        let found = self.function(function)?;
        let signature = found.signature();
        let values = values(&signature, &found.inputs, arguments)?;
        let input = found.abi_encode_input(&values).map_err(codec(&signature))?;
        let reads_only = matches!(found.state_mutability, StateMutability::View | StateMutability::Pure);
        // What people write seldom says whether it is payable.
        let refuses_money = self.abi.is_some() && found.state_mutability != StateMutability::Payable;
        Ok(Call { signature: Some(signature), input, outputs: found.outputs, reads_only, refuses_money })
    }

    fn function(&self, text: &str) -> Result<Function, ContractError> {
        let Some(abi) = &self.abi else {
            return if text.contains('(') { parse(text) } else { Err(ContractError::Untyped(text.trim().into())) };
        };
        let name = text.trim().trim_start_matches("function ").split('(').next().unwrap_or_default().trim();
        let signatures = |functions: &[Function]| functions.iter().map(Function::signature).collect::<Vec<_>>();
        let Some(named) = abi.function(name) else {
            let mut there: Vec<String> = abi.functions.keys().cloned().collect();
            there.sort();
            return Err(ContractError::NoFunction { name: name.into(), there });
        };
        if text.contains('(') {
            let wanted = parse(text)?.selector();
            let found = named.iter().find(|function| function.selector() == wanted);
            let none = || ContractError::NoFunction { name: text.trim().into(), there: signatures(named) };
            return found.cloned().ok_or_else(none);
        }
        match &named[..] {
            [one] => Ok(one.clone()),
            several => Err(ContractError::Overloaded { name: name.into(), there: signatures(several) }),
        }
    }

    /// What follows the code of a contract that is made: the encoded arguments of its constructor, by the signature that
    /// is given, else by the ABI.
    ///
    /// # Errors
    /// [`ContractError`], which says what was expected.
    pub fn construct(
        &self,
        signature: Option<&str>,
        arguments: &[String],
        pays: bool,
    ) -> Result<Vec<u8>, ContractError> {
        let by_abi = self.abi.as_ref().map(|abi| abi.constructor.clone().unwrap_or_else(bare_constructor));
        let constructor = match (signature, &by_abi) {
            (Some(text), _) => {
                Constructor::parse(text.trim()).map_err(|error| no_signature(text, &error, CONSTRUCTOR))?
            }
            (None, Some(constructor)) => constructor.clone(),
            (None, None) if arguments.is_empty() => return Ok(Vec::new()),
            (None, None) => return Err(ContractError::Untyped("constructor".into())),
        };
        let types: Vec<_> = constructor.inputs.iter().map(Param::selector_type).collect();
        let name = format!("constructor({})", types.join(","));
        if pays && by_abi.is_some_and(|by_abi| by_abi.state_mutability != StateMutability::Payable) {
            return Err(ContractError::NotPayable(name));
        }
        let values = values(&name, &constructor.inputs, arguments)?;
        constructor.abi_encode_input(&values).map_err(codec(&name))
    }
}

/// The constructor that a contract has which declares none.
fn bare_constructor() -> Constructor {
    Constructor { inputs: Vec::new(), state_mutability: StateMutability::NonPayable }
}

fn bare(function: &str, digits: &str, arguments: &[String]) -> Result<Call, ContractError> {
    let input = hex::decode(digits).map_err(|error| ContractError::Signature {
        text: function.into(),
        reason: format!("after 0x it should be calldata in hex, but {error}"),
        example: FUNCTION,
    })?;
    if !arguments.is_empty() {
        let signature = "bare calldata".into();
        return Err(ContractError::Count { signature, expected: 0, got: are(arguments.len()) });
    }
    Ok(Call { signature: None, input, outputs: Vec::new(), reads_only: false, refuses_money: false })
}

fn are(count: usize) -> String {
    if count == 1 { "1 is".into() } else { format!("{count} are") }
}

fn no_signature(text: &str, error: &impl std::fmt::Display, example: &'static str) -> ContractError {
    let reason = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    ContractError::Signature { text: text.into(), reason, example }
}

fn parse(text: &str) -> Result<Function, ContractError> {
    Function::parse(text.trim()).map_err(|error| no_signature(text, &error, FUNCTION))
}

fn codec<E: std::fmt::Display>(what: &str) -> impl Fn(E) -> ContractError {
    move |error| ContractError::Codec { what: what.to_owned(), reason: error.to_string() }
}

/// Resolves the types of parameters.
pub(super) fn kinds(what: &str, params: &[Param]) -> Result<Vec<DynSolType>, ContractError> {
    params.iter().map(|param| param.resolve().map_err(codec(what))).collect()
}

fn values(signature: &str, params: &[Param], texts: &[String]) -> Result<Vec<DynSolValue>, ContractError> {
    if params.len() != texts.len() {
        let (signature, expected) = (signature.into(), params.len());
        return Err(ContractError::Count { signature, expected, got: are(texts.len()) });
    }
    let read = |(number, ((kind, param), text)): (usize, ((DynSolType, &Param), &String))| {
        value::read(&kind, text).map_err(|reason| ContractError::Argument {
            signature: signature.into(),
            number: number + 1,
            text: text.chars().take(120).collect(),
            kind: if param.name.is_empty() { kind.to_string() } else { format!("{kind} ({})", param.name) },
            reason,
        })
    };
    kinds(signature, params)?.into_iter().zip(params).zip(texts).enumerate().map(read).collect()
}

/// The well-known function that has a selector.
pub fn well_known(selector: &[u8; 4]) -> Option<&'static str> {
    let has = |signature: &&str| Function::parse(signature).is_ok_and(|function| function.selector() == *selector);
    WELL_KNOWN.into_iter().find(has)
}

/// What calldata says if it is exactly a call by this signature: types and arguments.
pub fn decoded_call(signature: &str, input: &[u8]) -> Option<Vec<(String, String)>> {
    let function = Function::parse(signature).ok().filter(|function| function.signature() == signature)?;
    let arguments = input.strip_prefix(function.selector().as_slice())?;
    let values = function.abi_decode_input(arguments).ok()?;
    let same = function.abi_encode_input(&values).ok()? == input;
    let kinds = function.inputs.iter().map(|param| param.selector_type().into_owned());
    same.then(|| kinds.zip(values.iter().map(value::show)).collect())
}

/// Decodes what a function returns.
pub(super) fn decode_outputs(outputs: &[Param], data: &[u8]) -> Result<Vec<DynSolValue>, ContractError> {
    let function = Function {
        name: String::new(),
        inputs: Vec::new(),
        outputs: outputs.to_vec(),
        state_mutability: StateMutability::View,
    };
    function.abi_decode_output(data).map_err(codec("what was answered"))
}
