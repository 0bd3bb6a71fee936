//! Older blocks: what is asked of one is answered as when it was the tip.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use chain_core::{
    execute::encode_account,
    spec::ChainSpec,
    state::Account,
    transaction::account::{AccountTransaction, Authorization},
    trie::verify_proof,
};
use secp256k1::{
    Message,
    ecdsa::{RecoverableSignature, RecoveryId},
};
use serde_json::{Value, json};

use super::{account, programs::Chain, raw};
use crate::{
    dev::ACCOUNTS,
    rpc::{
        Lanes,
        testing::{TestNode, contract, secret, transfer},
    },
    store::StoreConfig,
};

/// Stores the call's second word in the slot of its first.
const STORAGE: &[u8] = &[0x60, 0x20, 0x35, 0x5f, 0x35, 0x55, 0x00];

fn words(slot: u8, word: u8) -> Bytes {
    [slot, word].map(|number| U256::from(number).to_be_bytes::<32>()).concat().into()
}

/// A transaction in which the fourth account delegates to some code (EIP-7702).
fn delegation(sender: usize, nonce: u64, to: Address, authority_nonce: u8) -> AccountTransaction {
    // Any chain, the address, the nonce.
    let rlp_nonce = if authority_nonce == 0 { 0x80 } else { authority_nonce };
    let message = keccak256([&[0x05, 0xd7, 0x80, 0x94][..], to.as_slice(), &[rlp_nonce]].concat());
    let key = secret(ACCOUNTS[3].private_key);
    let signature = RecoverableSignature::sign_ecdsa_recoverable(Message::from_digest(message.0), &key);
    let (parity, bytes) = signature.serialize_compact();
    let private_key = ACCOUNTS[sender].private_key;
    let mut fields = transfer(private_key, nonce, account(9), 1).fields().clone();
    (fields.tx_type, fields.gas_limit) = (4, 100_000);
    fields.authorizations = vec![Authorization {
        chain_id: U256::ZERO,
        address: to,
        nonce: authority_nonce.into(),
        y_parity: u8::from(parity == RecoveryId::One),
        r: U256::from_be_slice(&bytes[..32]),
        s: U256::from_be_slice(&bytes[32..]),
    }];
    AccountTransaction::sign(fields, &secret(private_key)).unwrap()
}

/// What is asked of each block, with the block.
fn questions(storage: Address, block: &Value) -> Vec<(&'static str, Value)> {
    let write = json!({ "from": account(2), "to": storage, "data": words(1, 9) });
    let size = format!("0x73{}3b5f5260205ff3", &storage.to_string()[2..]);
    let mut asked = vec![
        ("eth_getCode", json!([storage, block])),
        ("eth_getStorageAt", json!([storage, "0x1", block])),
        ("eth_getStorageAt", json!([storage, "0x2", block])),
        ("eth_getStorageValues", json!([{ (storage.to_string()): ["0x1", "0x2", "0x3"] }, block])),
        ("eth_call", json!([{ "data": size }, block])),
        ("eth_estimateGas", json!([write, block])),
        ("eth_createAccessList", json!([write, block])),
        ("eth_simulateV1", json!([{ "blockStateCalls": [{ "calls": [write] }] }, block])),
        ("debug_traceCall", json!([write, block, { "tracer": "prestateTracer" }])),
        ("trace_call", json!([write, ["trace", "stateDiff"], block])),
        ("ots_hasCode", json!([storage, block])),
    ];
    for address in [account(0), account(3), account(9), storage, Address::repeat_byte(0x55)] {
        asked.push(("eth_getBalance", json!([address, block])));
        asked.push(("eth_getTransactionCount", json!([address, block])));
        asked.push(("eth_getCode", json!([address, block])));
        asked.push(("eth_getProof", json!([address, ["0x1", "0x2", "0x3"], block])));
    }
    if *block != json!("0x0") {
        asked.push(("debug_traceBlockByNumber", json!([block, { "tracer": "prestateTracer" }])));
        asked.push(("trace_block", json!([block])));
        asked.push(("trace_replayBlockTransactions", json!([block, ["stateDiff"]])));
    }
    asked
}

fn answers(node: &TestNode, storage: Address, block: &Value) -> Vec<Value> {
    questions(storage, block).into_iter().map(|(method, params)| node.call(method, params)).collect()
}

/// The proof of an account and its slots leads from the root of the block's header.
fn check_proof(node: &TestNode, address: Address, block: &Value) {
    let header = node.call("eth_getBlockByNumber", json!([block, false]));
    let root: B256 = serde_json::from_value(header["stateRoot"].clone()).unwrap();
    let proof = node.call("eth_getProof", json!([address, ["0x1", "0x2", "0x3"], block]));
    let nodes = |proof: &Value| serde_json::from_value::<Vec<Bytes>>(proof.clone()).unwrap();
    let number = |value: &Value| value.as_str().unwrap().parse::<U256>().unwrap();
    let word = |value: &Value| serde_json::from_value::<B256>(value.clone()).unwrap();
    let told = Account {
        nonce: number(&proof["nonce"]).to(),
        balance: number(&proof["balance"]),
        storage_root: word(&proof["storageHash"]),
        code_hash: word(&proof["codeHash"]),
    };
    let told = (told != Account::default()).then(|| encode_account(&told));
    assert_eq!(verify_proof(root, keccak256(address), &nodes(&proof["accountProof"])), Ok(told), "{block}");
    for (slot, proof_of) in (1..).zip(proof["storageProof"].as_array().unwrap()) {
        let key = keccak256(U256::from(slot).to_be_bytes::<32>());
        let value = number(&proof_of["value"]);
        let expected = (!value.is_zero()).then(|| alloy_rlp::encode(value));
        let proved = verify_proof(word(&proof["storageHash"]), key, &nodes(&proof_of["proof"]));
        assert_eq!(proved, Ok(expected), "slot {slot} at {block}");
    }
}

/// A contract comes, its slots are set and cleared, an account delegates, delegates to something else and no more.
#[test]
fn an_older_block_answers_what_it_answered_as_the_tip() {
    let mut chain = Chain::new();
    let storage = account(0).create(0);
    let mut told = vec![answers(&chain.node, storage, &json!("0x0"))];
    let mut tell = |chain: &Chain| {
        let block = json!(format!("{:#x}", told.len()));
        told.push(answers(&chain.node, storage, &block));
    };
    assert_eq!(chain.deploy(STORAGE), storage);
    tell(&chain);
    for (slot, word) in [(1, 5), (2, 7), (1, 0), (2, 8), (1, 6)] {
        chain.send(Some(storage), words(slot, word));
        tell(&chain);
    }
    for (nonce, (to, authority_nonce)) in (0..).zip([(storage, 0), (account(1), 1), (Address::ZERO, 2)]) {
        chain.node.call("eth_sendRawTransaction", json!([raw(&delegation(4, nonce, to, authority_nonce))]));
        chain.mine();
        tell(&chain);
    }
    let code = |block: &str| chain.node.call("eth_getCode", json!([account(3), block]));
    let delegated = |to: Address| json!(format!("0xef0100{}", hex::encode(to)));
    assert_eq!([code("0x7"), code("0x8"), code("0x9")], [delegated(storage), delegated(account(1)), json!("0x")]);
    for (number, told) in told.iter().enumerate() {
        let block = json!(format!("{number:#x}"));
        assert_eq!(&answers(&chain.node, storage, &block), told, "block {number}");
        [account(0), account(3), storage].into_iter().for_each(|address| check_proof(&chain.node, address, &block));
    }

    // The last four blocks are replaced by five others, which have neither the last write nor the delegations.
    let reorg = chain.node.call("dev_reorg", json!([4, [[], [], [], [], []]]));
    assert_eq!(reorg["active"], json!(true), "{reorg}");
    assert_eq!(chain.node.call("eth_blockNumber", json!([])), "0xa");
    for (number, told) in told.iter().enumerate().take(6) {
        assert_eq!(&answers(&chain.node, storage, &json!(format!("{number:#x}"))), told, "block {number}");
    }
    for number in 6..=10 {
        let block = json!(format!("{number:#x}"));
        [account(0), account(3), storage].into_iter().for_each(|address| check_proof(&chain.node, address, &block));
        assert_eq!(chain.node.call("eth_getCode", json!([account(3), block])), "0x");
        let zero = format!("0x{}", "00".repeat(32));
        assert_eq!(chain.node.call("eth_getStorageAt", json!([storage, "0x1", block])), zero);
    }
}

/// A chain that is not of development, on which a contract was deployed in the first block.
fn window(history: Option<u32>) -> (TestNode, Address) {
    let spec = ChainSpec { name: "window".into(), ..ChainSpec::dev() };
    let node = TestNode::with(spec, Lanes::default(), &StoreConfig { history, ..StoreConfig::default() });
    let deploy = contract(ACCOUNTS[0].private_key, 0, None, Bytes::from_static(&[0x60, 0x2a, 0x5f, 0x55]));
    node.call("eth_sendRawTransaction", json!([raw(&deploy)]));
    node.call("dev_mine", json!([129]));
    (node, account(0).create(0))
}

#[test]
fn below_the_window_every_method_says_so_in_geths_words_with_the_flag_to_start_with() {
    let (node, storage) = window(Some(128));
    answers(&node, storage, &json!("0x2"));
    // A trace needs the state before its block.
    for (method, params) in questions(storage, &json!("0x1")) {
        let is_of_block =
            ["debug_traceBlockByNumber", "trace_block", "trace_replayBlockTransactions"].contains(&method);
        assert_eq!(node.try_call(method, params).is_err(), is_of_block, "{method}");
    }
    let said = "missing trie node: historical state of block 0 is not available: this node keeps those of the last 128 blocks, \
                from block 1 on; start it with --history BLOCKS to keep more, or with --archive to keep all";
    for (method, params) in questions(storage, &json!("0x0")) {
        assert_eq!(node.try_call(method, params), Err((-32000, said.into())), "{method}");
    }
    for (method, params) in [("debug_traceBlockByNumber", json!(["0x1"])), ("trace_block", json!(["0x1"]))] {
        assert_eq!(node.try_call(method, params), Err((-32000, said.into())), "{method}");
    }
}

#[test]
fn an_archive_has_every_state_and_proofs_as_deep_as_they_can_be_made() {
    let (node, storage) = window(None);
    node.call("dev_mine", json!([896]));
    answers(&node, storage, &json!("0x1"));
    assert_eq!(node.call("eth_getBalance", json!([account(0), "0x0"])), "0x21e19e0c9bab2400000");
    let capabilities = node.call("eth_capabilities", json!([]));
    assert_eq!(capabilities["state"], json!({ "disabled": false, "oldestBlock": "0x0" }));
    assert_eq!(capabilities["stateproofs"]["oldestBlock"], "0x1");
    check_proof(&node, account(0), &json!("0x1"));
    let said = "proofs reach 1024 blocks below the tip, to block 1: block 0 is older";
    assert_eq!(node.try_call("eth_getProof", json!([account(0), [], "0x0"])), Err((-32002, said.into())));
}
