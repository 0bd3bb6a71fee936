use alloy_json_abi::JsonAbi;
use alloy_primitives::{Address, B256, Bytes, U256, address, b256};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::Path;

use super::*;
use crate::node::Log;

const BOB: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

/// Calldata of `transfer(BOB, 5)`.
const TRANSFER: &str = "a9059cbb00000000000000000000000070997970c51812dc3a010c7d01b50e0d17dc79c8\
                        0000000000000000000000000000000000000000000000000000000000000005";

fn word(number: u64) -> String {
    format!("{number:064x}")
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn abi(items: &[&str]) -> JsonAbi {
    JsonAbi::parse(items.iter().copied()).unwrap()
}

fn token() -> Interface {
    Interface::new(
        Some(abi(&[
            "constructor(string name, uint256 supply)",
            "function transfer(address to, uint256 amount) returns (bool)",
            "function deposit() payable",
            "function mint(address to)",
            "function mint(address to, uint256 amount)",
            "function balanceOf(address) view returns (uint256)",
            "event Transfer(address indexed from, address indexed to, uint256 value)",
            "error InsufficientBalance(address sender, uint256 balance, uint256 needed)",
        ])),
        vec![abi(&[
            "event Transfer(address indexed from, address indexed to, uint256 indexed tokenId)",
            "error Paused()",
        ])],
    )
}

fn call(function: &str, arguments: &[&str]) -> Result<Call, ContractError> {
    Interface::default().call(function, &strings(arguments))
}

#[test]
fn calldata_is_what_every_other_tool_makes_of_it() {
    for function in [
        "transfer(address,uint256)",
        "transfer(address,uint)",
        "transfer(address to, uint256 amount) returns (bool)",
        " function transfer(address,uint256) external returns (bool)",
    ] {
        let call = call(function, &[BOB, "5"]).unwrap();
        assert_eq!(hex::encode(&call.input), TRANSFER, "{function}");
        assert_eq!(call.signature.as_deref(), Some("transfer(address,uint256)"));
    }
    assert_eq!(hex::encode(token().call("transfer", &strings(&[BOB, "5"])).unwrap().input), TRANSFER);
    assert_eq!(hex::encode(call(&format!("0x{TRANSFER}"), &[]).unwrap().input), TRANSFER);
}

/// The example of the ABI's specification: `f(uint256,uint32[],bytes10,bytes)`.
#[test]
fn dynamic_arguments_are_encoded_as_the_specification_shows() {
    let call = call(
        "f(uint256,uint32[],bytes10,bytes)",
        &["0x123", "[0x456,0x789]", "0x31323334353637383930", "0x48656c6c6f2c20776f726c6421"],
    );
    let padded = |text: &str| format!("{text:0<64}");
    let expected = [
        "8be65246".to_owned(),
        word(0x123),
        word(0x80),
        padded("31323334353637383930"),
        word(0xe0),
        word(2),
        word(0x456),
        word(0x789),
        word(13),
        padded("48656c6c6f2c20776f726c6421"),
    ];
    assert_eq!(hex::encode(call.unwrap().input), expected.concat());
}

#[test]
fn says_which_arguments_were_expected() {
    let (untyped, transfer) = (call("transfer", &[]), "transfer(address,uint256)");
    assert_eq!(untyped, Err(ContractError::Untyped("transfer".into())));
    let message = |result: Result<Call, ContractError>| result.unwrap_err().to_string();
    assert_eq!(message(call(transfer, &[BOB])), "transfer(address,uint256) takes 2 arguments, but 1 is given");
    assert_eq!(message(call("f()", &["1", "2"])), "f() takes no arguments, but 2 are given");
    assert_eq!(
        message(token().call("transfer", &strings(&[BOB, "five"]))),
        "argument 2 of transfer(address,uint256), 'five', is not a valid uint256 (amount): not a whole number: write it like 42, \
         0x2a or 1.5e18"
    );
    assert!(matches!(call("transfer(address,uint256", &[]), Err(ContractError::Signature { .. })));
    assert!(matches!(call("f(Token)", &["1"]), Err(ContractError::Codec { .. })));
    assert!(matches!(call("0xabc", &[]), Err(ContractError::Signature { .. })));
    assert!(matches!(call("0xabcd", &["1"]), Err(ContractError::Count { .. })));
}

#[test]
fn overloaded_functions_are_named_with_their_types() {
    let there = strings(&["mint(address)", "mint(address,uint256)"]);
    let several = ContractError::Overloaded { name: "mint".into(), there: there.clone() };
    assert_eq!(token().call("mint", &strings(&[BOB])), Err(several));
    let input = token().call("mint(address,uint256)", &strings(&[BOB, "1"])).unwrap().input;
    assert_eq!(hex::encode(&input[..4]), "40c10f19");
    assert_eq!(token().call("mint(address)", &strings(&[BOB])).unwrap().input.len(), 36);
    let none = ContractError::NoFunction { name: "mint(bool)".into(), there };
    assert_eq!(token().call("mint(bool)", &strings(&["true"])), Err(none));
    let message = token().call("burn", &[]).unwrap_err().to_string();
    assert_eq!(message, "the ABI has no function 'burn'; it has balanceOf, deposit, mint, transfer");
}

#[test]
fn the_abi_knows_what_is_payable_and_what_only_reads() {
    let flags = |function: &str, arguments: &[&str]| {
        let call = token().call(function, &strings(arguments)).unwrap();
        (call.refuses_money, call.reads_only)
    };
    assert_eq!(flags("transfer", &[BOB, "1"]), (true, false));
    assert_eq!(flags("deposit", &[]), (false, false));
    assert_eq!(flags("balanceOf", &[BOB]), (true, true));
    assert!(!call("transfer(address,uint256)", &[BOB, "1"]).unwrap().refuses_money, "a bare signature does not say");
}

#[test]
fn constructors_take_their_types_from_the_abi_or_a_signature() {
    let arguments = strings(&["Cairn", "7"]);
    let encoded = [word(0x40), word(7), word(5), format!("{:0<64}", hex::encode("Cairn"))].concat();
    assert_eq!(hex::encode(token().construct(None, &arguments, false).unwrap()), encoded);
    let bare = Interface::default();
    let signature = Some("constructor(string,uint256)");
    assert_eq!(hex::encode(bare.construct(signature, &arguments, true).unwrap()), encoded);
    assert_eq!(bare.construct(None, &[], true), Ok(Vec::new()));
    assert_eq!(bare.construct(None, &arguments, true), Err(ContractError::Untyped("constructor".into())));
    let refused = ContractError::NotPayable("constructor(string,uint256)".into());
    assert_eq!(token().construct(None, &arguments, true), Err(refused));
    let message = token().construct(None, &[], false).unwrap_err().to_string();
    assert_eq!(message, "constructor(string,uint256) takes 2 arguments, but 0 are given");
    let none = Interface::new(Some(abi(&["function f()"])), Vec::new());
    assert_eq!(none.construct(None, &[], false), Ok(Vec::new()));
    assert!(matches!(bare.construct(Some("f(uint256)"), &[], false), Err(ContractError::Signature { .. })));
}

#[test]
fn results_are_decoded_with_their_names() {
    let outputs = call("f() returns (uint112 reserve0, uint112 reserve1, string)", &[]).unwrap().outputs;
    let data = [word(5), word(6), word(0x60), word(2), format!("{:0<64}", hex::encode("hi"))].concat();
    let data = hex::decode(data).unwrap();
    let results = named(&outputs, &data).unwrap();
    assert_eq!(show_named(&results), "reserve0: 5, reserve1: 6, \"hi\"");
    assert_eq!(named_json(&results)[0], json!({ "name": "reserve0", "type": "uint112", "value": "5" }));
    assert!(matches!(named(&outputs, &data[..64]), Err(ContractError::Codec { .. })));
    assert!(matches!(named(&outputs, &[]), Err(ContractError::Codec { .. })));
}

#[test]
fn reverts_are_told_in_words() {
    let told = |data: &str| reason(&token(), &hex::decode(data).unwrap()).to_string();
    let text = ["08c379a0".into(), word(0x20), word(3), format!("{:0<64}", hex::encode("no!"))].concat();
    assert_eq!(told(&text), "\"no!\"");
    assert_eq!(
        told(&format!("4e487b71{}", word(0x11))),
        "panic 0x11: a sum, difference or product does not fit its type"
    );
    assert_eq!(told(&format!("4e487b71{}", word(0x12))), "panic 0x12: division by zero");
    assert_eq!(told(&format!("4e487b71{}", word(0x99))), "panic 0x99: a panic without a known meaning");
    let selector = &alloy_primitives::keccak256("InsufficientBalance(address,uint256,uint256)")[..4];
    let custom = [hex::encode(selector), word(0) + &word(3) + &word(4)].concat();
    let expected = format!("InsufficientBalance(sender: {}, balance: 3, needed: 4)", Address::ZERO);
    assert_eq!(told(&custom), expected);
    let paused = hex::encode(&alloy_primitives::keccak256("Paused()")[..4]);
    assert_eq!(told(&paused), "Paused()", "an error of a contract compiled along with it");
    assert_eq!(told("01020304"), "it answered 0x01020304 (no error of the ABI)");
    assert_eq!(told("08c379a0ff"), "it answered 0x08c379a0ff (no error of the ABI)");
    assert_eq!(told(""), "it gave no reason");
    let blind = reason(&Interface::default(), &[1, 2, 3, 4]).to_string();
    assert_eq!(blind, "it answered 0x01020304 (--abi FILE would say what that means)");
}

const TRANSFERRED: B256 = b256!("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");

fn log(topics: Vec<B256>, data: &str) -> Log {
    let address = address!("00000000000000000000000000000000000000c0");
    Log { address, topics, data: Bytes::from(hex::decode(data).unwrap()) }
}

#[test]
fn logs_are_told_as_events() {
    let bob: Address = BOB.parse().unwrap();
    let topic = |address: Address| B256::left_padding_from(address.as_slice());
    let coins = log(vec![TRANSFERRED, topic(Address::ZERO), topic(bob)], &word(7));
    let zero = Address::ZERO;
    assert_eq!(show_log(&token(), &coins), format!("Transfer(from: {zero}, to: {bob}, value: 7)"));
    // An NFT's event has the same topic, but one more is indexed.
    let nft = log(vec![TRANSFERRED, topic(zero), topic(bob), B256::from(U256::from(9))], "");
    assert_eq!(show_log(&token(), &nft), format!("Transfer(from: {zero}, to: {bob}, tokenId: 9)"));
    let json = log_json(&token(), &nft);
    assert_eq!(json["signature"], "Transfer(address,address,uint256)");
    assert_eq!(json["arguments"][2], json!({ "name": "tokenId", "type": "uint256", "value": "9" }));
    // What no event fits is shown as it is.
    let strange = log(vec![B256::ZERO], "0102");
    assert_eq!(show_log(&token(), &strange), format!("log [{}] 0x0102", B256::ZERO));
    assert_eq!(log_json(&token(), &strange)["event"], Value::Null);
    assert_eq!(show_log(&token(), &log(vec![TRANSFERRED], "")), format!("log [{TRANSFERRED}] 0x"));
}

#[test]
fn the_gateway_s_withdrawals_are_always_known() {
    let topics = vec![chain_core::execute::WITHDRAWAL_TOPIC, B256::ZERO];
    let data = [word(0x40), word(5), word(2), format!("{:0<64}", "abcd")].concat();
    let told = show_log(&Interface::default(), &log(topics, &data));
    assert_eq!(told, format!("Withdrawal(sender: {}, lock: 0xabcd, grains: 5)", Address::ZERO));
}

#[test]
fn calldata_is_only_called_what_it_is() {
    let input = hex::decode(TRANSFER).unwrap();
    let arguments = vec![("address".to_owned(), BOB.to_owned()), ("uint256".to_owned(), "5".to_owned())];
    assert_eq!(decoded_call("transfer(address,uint256)", &input), Some(arguments));
    assert_eq!(decoded_call("transfer(address,uint)", &input), None, "not canonical");
    assert_eq!(decoded_call("approve(address,uint256)", &input), None);
    assert_eq!(decoded_call("transfer(address,uint256)", &input[..67]), None);
    assert_eq!(decoded_call("transfer(address,uint256)", &[&input[..], &[0]].concat()), None);
    assert_eq!(decoded_call("", &input), None);
}

fn artifact(file: &str, text: &str, wanted: Option<&str>, deploy: bool) -> Result<Artifact, ContractError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(file);
    std::fs::write(&path, text).unwrap();
    read_artifact(&path, wanted, deploy).map_err(|error| match error {
        ContractError::Artifact { reason, .. } => ContractError::Artifact { file: file.into(), reason },
        other => other,
    })
}

fn functions() -> Value {
    json!([{ "type": "function", "name": "f", "inputs": [], "outputs": [], "stateMutability": "view" }])
}

#[test]
fn reads_what_every_compiler_writes() {
    let (abi, text) = (functions(), functions().to_string());
    let solc = json!({ "abi": abi, "evm": { "bytecode": { "object": "6001", "linkReferences": {} } } });
    let interface = json!({ "abi": abi, "evm": { "bytecode": { "object": "" } } });
    for (compiler, json) in [
        ("solc --standard-json", json!({ "contracts": { "a.sol": { "I": interface, "Token": solc } }, "sources": {} })),
        ("hardhat build info", json!({ "input": {}, "output": { "contracts": { "a.sol": { "Token": solc } } } })),
        ("solc --combined-json", json!({ "contracts": { "a.sol:Token": { "abi": abi, "bin": "6001" } } })),
        ("older solc", json!({ "contracts": { "a.sol:Token": { "abi": text, "bin": "6001" } }, "version": "0.4" })),
        ("forge", json!({ "abi": abi, "bytecode": { "object": "0x6001", "linkReferences": {} }, "id": 3 })),
        ("hardhat", json!({ "contractName": "Token", "abi": abi, "bytecode": "0x6001", "linkReferences": {} })),
        ("vyper", json!({ "Token.vy": { "abi": abi, "bytecode": "0x6001" }, "version": "0.4.3" })),
    ] {
        let found = artifact("Token.json", &json.to_string(), None, true).unwrap();
        assert_eq!(found.bytecode(), Ok(vec![0x60, 0x01]), "{compiler}");
        assert!(found.name.contains("Token") && found.has_abi(), "{compiler}: {}", found.name);
        assert!(found.interface().call("f", &[]).is_ok(), "{compiler}");
    }
    let noted = format!(">>> Cannot retry\n{}", json!({ "contracts": { "a.sol": { "Token": solc } } }));
    assert!(artifact("Token.json", &noted, None, true).unwrap().bytecode().is_ok());
    assert_eq!(artifact("t.bin", "6001\n", None, true).unwrap().bytecode(), Ok(vec![0x60, 0x01]));
    let bare = artifact("t.abi", &text, None, false).unwrap();
    assert!(bare.has_abi() && bare.bytecode().is_err());
}

#[test]
fn bytecode_finds_the_abi_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("Token.bin"), "6001").unwrap();
    std::fs::write(path("Token.abi"), functions().to_string()).unwrap();
    assert!(read_artifact(&path("Token.bin"), None, true).unwrap().has_abi());
    std::fs::write(path("Token.abi"), "what?").unwrap();
    assert!(matches!(read_artifact(&path("Token.bin"), None, true), Err(ContractError::Artifact { .. })));
}

#[test]
fn one_of_several_contracts_is_named() {
    let contract = json!({ "abi": [], "bin": "6001" });
    let json = json!({ "contracts": { "a.sol:One": contract, "b.sol:Two": contract } }).to_string();
    for name in ["Two", "b.sol:Two"] {
        assert_eq!(artifact("a.json", &json, Some(name), true).unwrap().name, "b.sol:Two");
    }
    let reason = |wanted| artifact("a.json", &json, wanted, true).unwrap_err().to_string();
    assert_eq!(reason(None), "a.json: it has several contracts; say with --contract which: a.sol:One, b.sol:Two");
    assert_eq!(reason(Some("Three")), "a.json: it has no contract 'Three'; it has a.sol:One, b.sol:Two");
}

#[test]
fn unlinked_bytecode_is_refused_with_the_library_s_name() {
    let placeholder = "__$1234567890abcdef1234567890abcdef12$__";
    let code = format!("6001{placeholder}6002");
    let references = json!({ "lib.sol": { "Math": [{ "start": 2, "length": 20 }] } });
    let json = json!({ "contractName": "Token", "abi": [], "bytecode": code, "linkReferences": references });
    let unlinked =
        |library: &str| Err(ContractError::Unlinked { contract: "Token".into(), libraries: strings(&[library]) });
    assert_eq!(artifact("Token.json", &json.to_string(), None, true).unwrap().bytecode(), unlinked("lib.sol:Math"));
    let bare = artifact("Token.bin", &code, None, true).unwrap().bytecode();
    assert_eq!(bare, unlinked("$1234567890abcdef1234567890abcdef12$"));
    let old = format!("6001__lib.sol:Math{}6002", "_".repeat(26));
    assert_eq!(artifact("Token.bin", &old, None, true).unwrap().bytecode(), unlinked("lib.sol:Math"));
}

#[test]
fn files_that_are_no_artifacts_are_told_apart() {
    let reason = |file: &str, text: &str| {
        artifact(file, text, None, true).and_then(|artifact| artifact.bytecode()).unwrap_err().to_string()
    };
    assert!(reason("a.json", "{").starts_with("a.json: not JSON"));
    let nothing = "a.json: it has no contracts: not an artifact of solc, vyper, forge or hardhat";
    assert_eq!(reason("a.json", "{}"), nothing);
    assert_eq!(reason("a.json", r#"{"contracts":{"a":{"b":3}}}"#), nothing);
    let failed = r#"{"errors":[{"severity":"warning","message":"w"},{"severity":"error","message":"e"}]}"#;
    assert_eq!(reason("a.json", failed), "a.json: the compiler found an error: \"e\"");
    assert!(reason("a.json", r#"{"abi":[{"type":"what"}]}"#).starts_with("a.json: the ABI of a is malformed"));
    assert_eq!(
        reason("a.json", r#"{"abi":[],"bytecode":"0x"}"#),
        "a: it has no bytecode: it is an interface or an abstract contract"
    );
    assert!(reason("a.bin", "hello").starts_with("a.bin: its bytecode is not hexadecimal"));
    assert!(matches!(read_artifact(Path::new("/nowhere"), None, true), Err(ContractError::Artifact { .. })));
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(
        data in proptest::collection::vec(any::<u8>(), 0..300),
        words in proptest::collection::vec(0u64..400, 0..12),
        topics in 0usize..=4,
    ) {
        // Small numbers are lengths and offsets, which noise never hits.
        let structured: String = words.iter().map(|number| word(*number)).collect();
        let outputs = call("f() returns ((string,uint8[2][])[], bytes, int16, bool[])", &[]).unwrap().outputs;
        for answer in [hex::encode(&data), structured] {
            let bytes = hex::decode(&answer).unwrap();
            if let Ok(results) = named(&outputs, &bytes) {
                let _ = (show_named(&results), named_json(&results));
            }
            for selector in ["", "08c379a0", "4e487b71"] {
                let _ = reason(&token(), &hex::decode(format!("{selector}{answer}")).unwrap()).to_string();
            }
            let first = [TRANSFERRED, B256::ZERO, B256::ZERO, B256::ZERO][..topics].to_vec();
            let _ = (show_log(&token(), &log(first.clone(), &answer)), log_json(&token(), &log(first, &answer)));
        }
    }
}
