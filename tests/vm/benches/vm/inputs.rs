//! The inputs of the vectors: real contracts, compiled loops, single instructions, precompiled contracts.

use alloy_primitives::U256;
use cairn_vm_tests::{
    lenient::{self, Malformed},
    state_test::{Genesis, parse_accounts},
};
use chain_core::state::{Account, MemoryState};
use serde_json::Value;
use std::{fs, path::Path};

use super::{
    Arguments,
    engines::{Answer, Cairn, Input, Peer},
    measure::{both, ms},
};

/// Measures every input of a folder that is wanted; `false` if some answer is wrong.
pub fn run(folder: &Path, arguments: &Arguments) -> bool {
    let mut paths: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    println!(
        "messages: warm on both sides (the machine and its analysis of the code are kept), medians of interleaved runs"
    );
    println!("in time of the process on processors");
    println!("{:<44} {:>12} {:>12} {:>7}", "name", "revm ms", "cairn ms", "ratio");
    let (mut ratios, mut right) = (Vec::new(), true);
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !arguments.wants(&name) {
            continue;
        }
        let text = fs::read(&path).expect("the vectors can be read");
        let json: Value = serde_json::from_slice(&text).expect("the vectors are json");
        let (input, expected) = parse(name, &json).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        match measure(&input, &expected, arguments) {
            Ok(ratio) => ratios.push((ratio, input.name)),
            Err(wrong) => {
                right = false;
                println!("{:<44} {wrong}", input.name);
            }
        }
    }
    summary(ratios);
    right
}

fn measure(input: &Input, expected: &Answer, arguments: &Arguments) -> Result<f64, String> {
    let (mut cairn, mut peer) = (Cairn::new(input), Peer::new(input));
    for (who, got) in [("revm", Answer::from(&peer.run())), ("cairn", Answer::from(&cairn.run()))] {
        if got != *expected {
            return Err(format!("WRONG: {who} answers {got:?}, expected {expected:?}"));
        }
    }
    let (theirs, ours) = both(arguments.budget(), || peer.run(), || cairn.run());
    let ratio = ms(theirs) / ms(ours);
    println!("{:<44} {:>12.4} {:>12.4} {ratio:>7.2}", input.name, ms(theirs), ms(ours));
    Ok(ratio)
}

fn summary(mut ratios: Vec<(f64, String)>) {
    ratios.sort_by(|one, other| one.0.total_cmp(&other.0));
    let Some((least, name)) = ratios.first() else { return };
    let mean = (ratios.iter().map(|(ratio, _)| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
    println!("\ngeometric mean of {}: {mean:.3} (aim 1.15); minimum {least:.2}, {name} (aim 0.8)", ratios.len());
    let slower: Vec<String> =
        ratios.iter().take_while(|(ratio, _)| *ratio < 1.0).map(|(ratio, name)| format!("{name} {ratio:.2}")).collect();
    println!("below 1.0: {}\n", if slower.is_empty() { "none".to_owned() } else { slower.join(", ") });
}

fn parse(name: String, json: &Value) -> Result<(Input, Answer), Malformed> {
    let (caller, to) = (lenient::address("caller", &json["caller"])?, lenient::address("to", &json["to"])?);
    let value = lenient::optional(json, "value").map_or(Ok(U256::ZERO), |value| lenient::word("value", value))?;
    let mut state = MemoryState::default();
    insert(&mut state, caller, Genesis { balance: U256::MAX >> 8, ..Genesis::default() });
    for (address, account) in parse_accounts(&json["extra_accounts"])? {
        insert(&mut state, address, account);
    }
    let (code, storage) = (lenient::bytes("code", &json["code"])?, lenient::slots("storage", json.get("storage"))?);
    insert(&mut state, to, Genesis { nonce: 1, balance: U256::ZERO, code, storage });
    let calldata = lenient::bytes("calldata", &json["calldata"])?;
    let gas_limit = lenient::number("gas_limit", &json["gas_limit"])?;
    let expect = &json["expect"];
    let status = expect["status"].as_str().unwrap_or_default();
    let expected = Answer {
        status: ["Success", "Revert", "Halt"].into_iter().find(|name| status.starts_with(name)).unwrap_or("unknown"),
        gas_used: lenient::number("gas_used", &expect["gas_used"])?,
        output: lenient::hash("output_keccak", &expect["output_keccak"])?,
        logs: expect["logs"].as_u64().unwrap_or_default() as usize, // a count of what fits into memory
    };
    Ok((Input { name, caller, to, value, calldata, gas_limit, state }, expected))
}

/// Puts an account into a state.
pub fn insert(state: &mut MemoryState, address: alloy_primitives::Address, genesis: Genesis) {
    let account = Account { nonce: genesis.nonce, balance: genesis.balance, ..Account::default() };
    state.insert_account(address, account, genesis.code, &genesis.storage);
}
