//! A development chain as tools of Ethereum use it.

use alloy_primitives::{Address, B256, U256, address, hex, keccak256};
use chain_core::{spec::ChainSpec, transaction::account::address_of};
use secp256k1::{
    Message,
    ecdsa::{RecoverableSignature, RecoveryId},
};
use serde_json::{Value, json};

use crate::{dev::ACCOUNTS, rpc::testing::TestNode};

const SOMEBODY: &str = "0x5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b";
const FACTORY: Address = address!("4e59b44847b379578588920ca78fbf26c0b4956c");

fn account(number: usize) -> String {
    format!("{:#x}", ACCOUNTS[number].address)
}

fn node() -> TestNode {
    let node = TestNode::fresh();
    node.call("evm_setAutomine", json!([true]));
    node
}

fn pay(node: &TestNode, from: &str, to: &str) -> String {
    let transaction = json!([{"from": from, "to": to, "value": "0x5"}]);
    node.call("eth_sendTransaction", transaction).as_str().unwrap().to_owned()
}

fn height(node: &TestNode) -> u64 {
    node.call("chain_getInfo", json!([]))["height"].as_u64().unwrap()
}

fn time(node: &TestNode) -> u64 {
    node.call("chain_getInfo", json!([]))["time"].as_u64().unwrap()
}

fn balance(node: &TestNode, of: &str) -> Value {
    node.call("eth_getBalance", json!([of, "latest"]))
}

/// Who signed a hash.
fn signer(hash: B256, signature: &Value) -> Address {
    let bytes = hex::decode(signature.as_str().unwrap()).unwrap();
    let parity = RecoveryId::from_u8_masked(bytes[64] - 27);
    let signature = RecoverableSignature::from_compact(bytes[..64].try_into().unwrap(), parity).unwrap();
    address_of(&signature.recover_ecdsa(Message::from_digest(hash.0)).unwrap())
}

#[test]
fn the_node_sends_and_signs_for_the_funded_accounts() {
    let node = node();
    let accounts = node.call("eth_accounts", json!([]));
    assert_eq!(accounts.as_array().unwrap().len(), 10);
    assert_eq!(accounts[0], format!("{:#x}", ACCOUNTS[0].address));
    let hash = pay(&node, accounts[0].as_str().unwrap(), SOMEBODY);
    let receipt = node.call("eth_getTransactionReceipt", json!([hash]));
    assert_eq!((&receipt["status"], &receipt["gasUsed"]), (&json!("0x1"), &json!("0x5208")));
    assert_eq!(balance(&node, SOMEBODY), "0x5");
    let legacy = json!([{"from": accounts[1], "to": SOMEBODY, "gasPrice": "0x77359400", "gas": "0x5208"}]);
    let signed = node.call("eth_signTransaction", legacy);
    let hash = node.call("eth_sendRawTransaction", json!([signed["raw"]]));
    let sent = node.call("eth_getTransactionByHash", json!([hash]));
    assert_eq!((&sent["type"], &sent["from"]), (&json!("0x0"), &accounts[1]));
    assert_eq!((&signed["tx"]["hash"], &signed["tx"]["from"]), (&hash, &accounts[1]));
    let dynamic = json!([{"from": accounts[1], "to": SOMEBODY, "maxFeePerGas": "0x77359400", "gas": "0x5208"}]);
    let tx = node.call("eth_signTransaction", dynamic)["tx"].clone();
    assert_eq!((&tx["type"], &tx["gasPrice"]), (&json!("0x2"), &json!("0x77359400")));
    assert_eq!(node.call("eth_requestAccounts", json!([])), accounts);

    let prefixed = keccak256(b"\x19Ethereum Signed Message:\n5hello");
    let message = format!("0x{}", hex::encode("hello"));
    let signed = node.call("personal_sign", json!([message, accounts[2]]));
    assert_eq!(signer(prefixed, &signed), ACCOUNTS[2].address);
    assert_eq!(node.call("eth_sign", json!([accounts[2], message])), signed);
    let typed = json!({
        "types": { "EIP712Domain": [], "A": [{ "name": "x", "type": "uint256" }] },
        "primaryType": "A", "domain": {}, "message": { "x": 1 },
    });
    let hash = cairn_client::typed_data::hash(&typed).unwrap();
    let signed = node.call("eth_signTypedData_v4", json!([accounts[3], typed]));
    assert_eq!(signer(hash, &signed), ACCOUNTS[3].address);
    assert_eq!(node.call("eth_signTypedData_v4", json!([accounts[3], typed.to_string()])), signed);
}

#[test]
fn nothing_is_signed_for_others_or_on_another_chain() {
    let node = node();
    let unknown = Err((-32000, "unknown account".to_owned()));
    let [from, to] = [SOMEBODY.to_owned(), account(0)];
    let calls = |from: &str| {
        [
            ("eth_sendTransaction", json!([{"from": from, "to": to}])),
            ("eth_signTransaction", json!([{"from": from, "to": to, "gas": "0x5208"}])),
            ("eth_sign", json!([from, "0x00"])),
            ("personal_sign", json!(["0x00", from])),
            ("eth_signTypedData_v4", json!([from, {"types": {}, "primaryType": "EIP712Domain", "domain": {}}])),
        ]
    };
    for (method, params) in calls(&from) {
        assert_eq!(node.try_call(method, params), unknown, "{method}");
    }
    let local = TestNode::of(ChainSpec::local());
    assert_eq!(local.call("eth_accounts", json!([])), json!([]));
    local.call("anvil_autoImpersonateAccount", json!([true]));
    let unsigned = ("eth_sendUnsignedTransaction", json!([{"from": account(1), "to": to, "gas": "0x5208"}]));
    for (method, params) in calls(&account(1)).into_iter().chain([unsigned]) {
        assert_eq!(local.try_call(method, params), unknown, "{method}");
    }
    for (method, params) in [
        ("anvil_setBalance", json!([from, "0x1"])),
        ("anvil_setCode", json!([from, "0x00"])),
        ("anvil_setNonce", json!([from, 7])),
        ("anvil_setStorageAt", json!([from, 0, 1])),
    ] {
        let (code, message) = local.try_call(method, params).unwrap_err();
        assert_eq!((code, message.starts_with("transaction ")), (-32003, true), "{method}: {message}");
    }
    assert_eq!(height(&local), 0);
}

#[test]
fn an_unsigned_transaction_is_found_by_its_sender_and_nonce() {
    let node = TestNode::fresh();
    node.call("anvil_setBalance", json!([SOMEBODY, "0xde0b6b3a7640000"]));
    let send = json!([{"from": SOMEBODY, "to": account(0), "value": "0x5"}]);
    let hash = node.call("eth_sendUnsignedTransaction", send);
    let found = |nonce: u64| node.call("eth_getTransactionBySenderAndNonce", json!([SOMEBODY, nonce]));
    assert_eq!((&found(0)["hash"], &found(0)["blockNumber"], found(1)), (&hash, &Value::Null, Value::Null));
    node.call("evm_mine", json!([]));
    assert_eq!((&found(0)["hash"], &found(0)["blockNumber"]), (&hash, &json!("0x2")));
    assert_eq!((&found(0)["from"], found(1)), (&json!(SOMEBODY), Value::Null));
    let account = node.call("eth_getAccount", json!([SOMEBODY, "latest"]));
    let proof = node.call("eth_getProof", json!([SOMEBODY, [], "latest"]));
    assert_eq!((&account["storageRoot"], &account["codeHash"]), (&proof["storageHash"], &proof["codeHash"]));
    let info = node.call("eth_getAccountInfo", json!([SOMEBODY]));
    assert_eq!((&info["nonce"], &info["code"], &info["balance"]), (&json!("0x1"), &json!("0x"), &account["balance"]));
}

#[test]
fn the_clock_does_not_stop_in_silence_where_headers_can_say_no_more() {
    let node = node();
    let refused = |method: &str, params: Value| {
        let (code, message) = node.try_call(method, params).unwrap_err();
        assert_eq!((code, message.contains("end on 7 February 2106")), (-32602, true), "{method}: {message}");
    };
    let mut now = 4_000_000_000;
    let mut is_now = |later: u32| {
        now += later;
        assert_eq!(node.call("eth_getBlockByNumber", json!(["latest"]))["timestamp"], format!("{now:#x}"));
    };
    refused("evm_increaseTime", json!([3_153_600_000u32]));
    node.call("evm_mine", json!([4_000_000_000u32]));
    is_now(0);
    // The interval is that between blocks: the first comes next.
    node.call("evm_setNextBlockTimestamp", json!([4_000_000_010u32]));
    node.call("hardhat_mine", json!([2, 100_000_000]));
    is_now(100_000_010);
    refused("hardhat_mine", json!([3, 190_000_000]));
    node.call("evm_setNextBlockTimestamp", json!([u32::MAX - 21]));
    node.call("anvil_setBlockTimestampInterval", json!([10]));
    refused("dev_mine", json!([4]));
    assert_eq!(node.call("eth_getBlockByNumber", json!(["latest"]))["timestamp"], format!("{:#x}", u32::MAX - 1));
    node.call("anvil_removeBlockTimestampInterval", json!([]));
    refused("evm_mine", json!([{"blocks": 3}]));
    assert_eq!(node.call("eth_getBlockByNumber", json!(["latest"]))["timestamp"], "0xffffffff");
    refused("evm_mine", json!([]));
    let before = height(&node);
    pay(&node, &account(0), SOMEBODY);
    assert_eq!(height(&node), before, "the transaction waits");
}

#[test]
fn the_state_is_edited_by_blocks() {
    let node = node();
    let set = |method: &str, params| assert_eq!(node.call(method, params), true);
    let start = time(&node);
    set("anvil_setBalance", json!([SOMEBODY, "0x0000de0b6b3a7640000"]));
    set("anvil_addBalance", json!([SOMEBODY, "0x1"]));
    assert_eq!(balance(&node, SOMEBODY), "0xde0b6b3a7640001");
    set("anvil_setBalance", json!([SOMEBODY, "0xde0b6b3a7640000"]));
    set("hardhat_setNonce", json!([SOMEBODY, "0x29"]));
    // Returns slot 3.
    set("hardhat_setCode", json!([SOMEBODY, "0x60035460005260206000f3"]));
    set("anvil_setStorageAt", json!([SOMEBODY, "0x3", format!("0x{:064x}", 9)]));
    assert_eq!(balance(&node, SOMEBODY), "0xde0b6b3a7640000");
    assert_eq!(node.call("eth_getTransactionCount", json!([SOMEBODY, "latest"])), "0x29");
    assert_eq!(node.call("eth_call", json!([{"to": SOMEBODY}])), format!("0x{:064x}", 9));
    assert_eq!((height(&node), time(&node)), (6, start), "each is a block, and takes no time");
    let other = "0x5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c";
    set("hardhat_setStorageAt", json!([other, "0x0", "0x01"]));
    assert_eq!(node.call("eth_getStorageAt", json!([other, "0x0", "latest"])), format!("0x{:064x}", 1));
    let receipt = node.call("eth_getBlockReceipts", json!(["latest"]))[0].clone();
    assert_eq!((&receipt["status"], &receipt["gasUsed"]), (&json!("0x1"), &json!("0x0")));
    assert_eq!(receipt["from"], "0x0000000000000000000000000000000000646576");
    assert!(node.call("debug_traceBlockByNumber", json!(["latest", {"tracer": "callTracer"}])).is_array());
    let hostile: &[(&str, Value, &str)] = &[
        ("anvil_setBalance", json!([SOMEBODY, format!("0x1{}", "0".repeat(64))]), "balance: expected a number"),
        ("anvil_setBalance", json!([SOMEBODY, -1]), "balance: expected a number"),
        ("anvil_setBalance", json!(["0x1", 1]), "address: expected an account"),
        ("anvil_setNonce", json!([SOMEBODY, u64::MAX]), "nonce: expected at most 2^64 - 2"),
        ("anvil_setCode", json!([SOMEBODY, format!("0x{}", "00".repeat(24_577))]), "code: expected at most 24576"),
        ("anvil_setCode", json!([SOMEBODY, "0x0"]), "code: expected bytes"),
        ("anvil_setStorageAt", json!([SOMEBODY, "0x1", "0xg"]), "value: expected a number"),
        ("evm_setBlockGasLimit", json!(["many"]), "gasLimit: expected a number"),
    ];
    for (method, params, message) in hostile {
        let (code, said) = node.try_call(method, params.clone()).unwrap_err();
        assert_eq!((code, said.starts_with(message)), (-32602, true), "{method} {params}: {said}");
    }
    let (code, said) = node.try_call("evm_setBlockGasLimit", json!(["0x1"])).unwrap_err();
    assert_eq!((code, said.starts_with("the block gas limit is 60000000, a part")), (-32000, true), "{said}");
}

#[test]
fn an_impersonated_contract_sends() {
    let node = node();
    node.call("anvil_setCode", json!([SOMEBODY, "0x00"]));
    node.call("anvil_setBalance", json!([SOMEBODY, "0xde0b6b3a7640000"]));
    node.call("anvil_impersonateAccount", json!([SOMEBODY]));
    let hash = pay(&node, SOMEBODY, &account(1));
    let [receipt, transaction] = ["eth_getTransactionReceipt", "eth_getTransactionByHash"]
        .map(|method| node.call(method, json!([hash]))["from"].as_str().unwrap().to_lowercase());
    assert_eq!([receipt, transaction], [SOMEBODY, SOMEBODY]);
    node.call("evm_setAutomine", json!([false]));
    let waiting = pay(&node, SOMEBODY, &account(1));
    let pending = node.call("eth_getTransactionByHash", json!([waiting]));
    assert_eq!(pending["from"].as_str().unwrap().to_lowercase(), SOMEBODY);
    assert_eq!(node.call("anvil_dropTransaction", json!([waiting])), waiting);
    assert_eq!(node.call("anvil_dropTransaction", json!([waiting])), Value::Null);
    assert_eq!(node.call("eth_getTransactionByHash", json!([waiting])), Value::Null);
    node.call("anvil_stopImpersonatingAccount", json!([SOMEBODY]));
    let refused = node.try_call("eth_sendTransaction", json!([{"from": SOMEBODY, "to": account(1)}]));
    assert_eq!(refused.unwrap_err().1, "unknown account");
}

#[test]
fn the_clock_goes_on_from_where_it_was_set() {
    let node = node();
    node.call("evm_mine", json!([]));
    let start = time(&node);
    assert_eq!(node.call("evm_increaseTime", json!([1_000])), 1_000);
    node.call("evm_mine", json!([]));
    assert!((start + 1_000..start + 1_100).contains(&time(&node)));
    node.call("evm_setNextBlockTimestamp", json!([start + 5_000]));
    node.call("anvil_setBalance", json!([SOMEBODY, 1]));
    node.call("evm_mine", json!([]));
    assert_eq!(time(&node), start + 5_000, "an edit does not take the next block's time");
    node.call("evm_mine", json!([]));
    assert!((start + 5_001..start + 5_100).contains(&time(&node)), "blocks follow each other by a second at least");
    node.call("evm_mine", json!([{"timestamp": start + 9_000}]));
    std::thread::sleep(std::time::Duration::from_millis(2_100));
    node.call("evm_mine", json!([]));
    assert!((start + 9_002..start + 9_100).contains(&time(&node)), "time does not stand still");
    node.call("hardhat_mine", json!(["0x3", "0x3c"]));
    assert_eq!(node.call("chain_getHeader", json!([height(&node) - 2]))["time"].as_u64().unwrap() + 120, time(&node));
    let (code, said) = node.try_call("evm_setNextBlockTimestamp", json!([start])).unwrap_err();
    assert_eq!((code, said.contains("is lower than the previous block's timestamp")), (-32602, true), "{said}");
    let (code, said) = node.try_call("evm_mine", json!([{"timestamp": start}])).unwrap_err();
    assert_eq!((code, said.starts_with("timestamp ")), (-32602, true), "{said}");
    for method in ["evm_increaseTime", "evm_setTime", "anvil_setNextBlockTimestamp", "anvil_setIntervalMining"] {
        for odd in [json!([]), json!([-1]), json!([u64::MAX]), json!(["soon"]), json!([[]])] {
            assert_eq!(node.try_call(method, odd.clone()).unwrap_err().0, -32602, "{method} {odd}");
        }
    }
}

#[test]
fn a_snapshot_takes_the_chain_back_as_often_as_one_likes() {
    let node = node();
    pay(&node, &account(0), SOMEBODY);
    for _ in 0..3 {
        let (before, state) = (height(&node), node.call("eth_getBlockByNumber", json!(["latest", false])));
        let snapshot = node.call("evm_snapshot", json!([]));
        // The same within the same second: the block must be another one.
        pay(&node, &account(0), SOMEBODY);
        node.call("anvil_setBalance", json!([SOMEBODY, 77]));
        assert_eq!(height(&node), before + 2);
        assert_eq!(node.call("evm_revert", json!([snapshot])), true);
        assert_eq!(node.call("eth_getBlockByNumber", json!(["latest", false])), state);
        assert_eq!(
            (balance(&node, SOMEBODY), node.call("txpool_status", json!([]))["pending"].clone()),
            (json!("0x5"), json!("0x0"))
        );
        assert_eq!(node.call("evm_revert", json!([snapshot])), false, "it is used up");
    }
    assert_eq!(node.call("evm_revert", json!(["0x999"])), false);
    node.call("dev_mine", json!([5]));
    assert_eq!(node.call("anvil_rollback", json!([4])), Value::Null);
    assert_eq!(height(&node), 2);
    let (code, said) = node.try_call("anvil_rollback", json!([3])).unwrap_err();
    assert_eq!((code, said.as_str()), (-32602, "depth: expected at most 2, got 3"));
    assert_eq!(node.call("hardhat_reset", json!([])), true);
    assert_eq!((height(&node), balance(&node, SOMEBODY)), (0, json!("0x0")));
    pay(&node, &account(0), SOMEBODY);
    assert_eq!(height(&node), 1);
}

#[test]
fn a_competing_branch_carries_what_it_is_told() {
    let node = node();
    node.call("dev_mine", json!([2]));
    let (kept, lost) = (pay(&node, &account(0), SOMEBODY), pay(&node, &account(1), SOMEBODY));
    let old = node.call("chain_getInfo", json!([]))["bestHash"].clone();
    node.call("evm_setAutomine", json!([false]));
    let reorg = node.call("dev_reorg", json!([2, [[kept]]]));
    assert_eq!((reorg["active"].clone(), reorg["blocks"].as_array().unwrap().len()), (json!(true), 3));
    assert_eq!(height(&node), 5);
    assert_eq!(node.call("eth_getTransactionByHash", json!([kept]))["blockNumber"], "0x3");
    assert_eq!(node.call("eth_getTransactionByHash", json!([lost]))["blockNumber"], Value::Null, "it waits again");
    let tips = node.call("chain_getTips", json!([]));
    assert!(tips.as_array().unwrap().iter().any(|tip| tip["hash"] == old), "the old branch is still there: {tips}");
    let active = node.call("chain_getTips", json!([1]));
    assert_eq!((active.as_array().unwrap().len(), &active[0]["status"]), (1, &json!("active")));
    assert_eq!(node.call("chain_getTips", json!([2])), json!(tips.as_array().unwrap()[..2]));

    let fork = node.call("dev_fork", json!([3, [[], []]]));
    assert_eq!((fork["active"].clone(), height(&node)), (json!(false), 5));
    let longer = node.call("dev_fork", json!([fork["blocks"][1], [[lost]]]));
    assert_eq!((longer["active"].clone(), height(&node)), (json!(true), 6));
    assert_eq!(node.call("eth_getTransactionByHash", json!([lost]))["blockNumber"], "0x6");
    let tip = node.call("chain_getInfo", json!([]))["bestHash"].clone();
    let hostile: &[(&str, Value, i64)] = &[
        ("dev_reorg", json!([0]), -32602),
        ("dev_reorg", json!([7]), -32602),
        ("dev_reorg", json!([u32::MAX]), -32602),
        ("dev_reorg", json!([1, [[], "x"]]), -32602),
        ("dev_reorg", json!([1, [["0x00"]]]), -32602),
        ("dev_reorg", json!([1, [[format!("0x{}", "11".repeat(32))]]]), -32602),
        ("dev_reorg", json!([1, [[kept]]]), -32003),
        ("dev_reorg", json!([1, vec![json!([]); 1_001]]), -32602),
        ("anvil_reorg", json!([1, [[kept, 1]]]), -32602),
        ("dev_fork", json!([99]), -32001),
        ("dev_fork", json!(["11".repeat(32)]), -32001),
    ];
    for (method, params, code) in hostile {
        let (got, said) = node.try_call(method, params.clone()).unwrap_err();
        assert_eq!(got, *code, "{method} {params}: {said}");
        assert_eq!(node.call("chain_getInfo", json!([]))["bestHash"], tip, "{method} {params}");
    }
}

// DEV-4
#[test]
fn the_next_base_fee_is_that_of_the_next_block() {
    let node = node();
    for fee in [50_000_000_000_u64, 7, 0] {
        node.call("hardhat_setNextBlockBaseFeePerGas", json!([format!("{fee:#x}")]));
        node.call("anvil_setBalance", json!([SOMEBODY, 1]));
        node.call("evm_mine", json!([]));
        assert_eq!(node.call("eth_getBlockByNumber", json!(["latest", false]))["baseFeePerGas"], format!("{fee:#x}"));
    }
    node.call("evm_mine", json!([]));
    let floor = node.call("eth_getBlockByNumber", json!(["latest", false]))["baseFeePerGas"].clone();
    assert_eq!(floor, "0x3b9aca00");
    let (code, said) = node.try_call("anvil_setNextBlockBaseFeePerGas", json!(["0x38d7ea4c68001"])).unwrap_err();
    assert_eq!((code, said.starts_with("baseFee: expected at most")), (-32602, true), "{said}");
}

#[test]
fn the_create2_factory_deploys_where_tools_expect_it() {
    let node = node();
    // Deploys the code 0xfe.
    let initcode = hex!("60fe60005360016000f3");
    let salt = B256::repeat_byte(7);
    let expected = FACTORY.create2_from_code(salt, initcode);
    let data = format!("0x{}{}", hex::encode(salt), hex::encode(initcode));
    let deploy = json!([{"from": account(0), "to": FACTORY, "data": data}]);
    let hash = node.call("eth_sendTransaction", deploy);
    assert_eq!(node.call("eth_getTransactionReceipt", json!([hash]))["status"], "0x1");
    assert_eq!(node.call("eth_getCode", json!([expected, "latest"])), "0xfe");
    for spec in [ChainSpec::local(), ChainSpec::dev()] {
        let factory = spec.alloc_accounts.iter().find(|account| account.address == FACTORY).unwrap();
        assert_eq!((factory.code.len(), factory.nonce, factory.balance), (69, 1, U256::ZERO));
    }
    for spec in [ChainSpec::main(), ChainSpec::test()] {
        assert!(spec.alloc_accounts.is_empty());
    }
}

#[test]
fn a_tool_learns_what_chain_it_is_on() {
    let node = node();
    node.call("dev_mine", json!([2]));
    let info = node.call("anvil_nodeInfo", json!([]));
    assert_eq!((&info["currentBlockNumber"], &info["environment"]["chainId"]), (&json!("0x2"), &json!(1337)));
    let latest = node.call("eth_getBlockByNumber", json!(["latest", false]));
    assert_eq!(info["currentBlockHash"], latest["hash"]);
    assert_eq!(node.call("hardhat_metadata", json!([]))["latestBlockHash"], latest["hash"]);
    assert_eq!(node.call("hardhat_getAutomine", json!([])), true);
    node.call("anvil_setIntervalMining", json!([5]));
    assert_eq!(node.call("anvil_getIntervalMining", json!([])), 5);
    assert_eq!(node.call("anvil_getAutomine", json!([])), false);
    node.call("evm_setIntervalMining", json!([2_000]));
    assert_eq!(node.call("anvil_getIntervalMining", json!([])), 2);
    node.call("evm_setIntervalMining", json!([0]));
    assert_eq!(node.call("anvil_getIntervalMining", json!([])), Value::Null);
    node.call("anvil_setCoinbase", json!([SOMEBODY]));
    node.call("evm_mine", json!([]));
    let miner = node.call("eth_getBlockByNumber", json!(["latest", false]))["miner"].as_str().unwrap().to_lowercase();
    assert_eq!(miner, SOMEBODY);
}

#[test]
fn a_dumped_state_is_loaded_again_by_blocks() {
    let node = TestNode::fresh();
    let rich = Address::repeat_byte(0x66);
    let set = |method: &str, params: Value| node.call(method, params);
    set("anvil_setBalance", json!([rich, "0x309"]));
    set("anvil_setCode", json!([rich, "0x6001"]));
    (0..3).for_each(|slot| drop(set("anvil_setStorageAt", json!([rich, slot, slot + 1]))));
    let dumped = node.call("anvil_dumpState", json!([]));
    let before = node.call("eth_getProof", json!([rich, ["0x0", "0x1"], "latest"]));
    set("anvil_setBalance", json!([rich, "0x5"]));
    set("anvil_setCode", json!([rich, "0x"]));
    set("anvil_setStorageAt", json!([rich, "0x1", "0x0"]));
    set("anvil_setStorageAt", json!([rich, "0x7", "0x9"]));
    assert_eq!(node.call("anvil_loadState", json!([dumped])), true);
    let after = node.call("eth_getProof", json!([rich, ["0x0", "0x1"], "latest"]));
    for key in ["balance", "nonce", "codeHash", "storageHash", "storageProof"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    assert_eq!(node.call("anvil_dumpState", json!([])), redated(&node, &dumped));
    // On another chain it does the same.
    let other = TestNode::fresh();
    assert_eq!(other.call("anvil_loadState", json!([dumped])), true);
    assert_eq!(other.call("eth_getProof", json!([rich, [], "latest"]))["storageHash"], before["storageHash"]);
}

/// A dump with the height of now.
fn redated(node: &TestNode, dumped: &Value) -> Value {
    let mut state: Value = serde_json::from_slice(&hex::decode(&dumped.as_str().unwrap()[2..]).unwrap()).unwrap();
    state["best_block_number"] = node.call("chain_getInfo", json!([]))["height"].clone();
    format!("0x{}", hex::encode(state.to_string())).into()
}

#[test]
fn a_state_of_more_than_one_block_is_loaded_and_an_odd_one_is_refused_by_name() {
    let node = TestNode::fresh();
    let load =
        |state: Value| node.try_call("anvil_loadState", json!([format!("0x{}", hex::encode(state.to_string()))]));
    let slots: serde_json::Map<_, _> = (1..=6_000u32).map(|slot| (slot.to_string(), json!(slot))).collect();
    let rich = Address::repeat_byte(0x66).to_string();
    assert_eq!(load(json!({ "accounts": { &rich: { "nonce": 1, "storage": slots } } })), Ok(json!(true)));
    assert!(node.call("chain_getInfo", json!([]))["height"].as_u64().unwrap() > 1);
    assert_eq!(node.call("eth_getStorageAt", json!([rich, "0x1770"])), format!("0x{:064x}", 6_000));
    for (account, words) in [
        (json!({ "nonce": "0xffffffffffffffff" }), "nonce: expected at most 2^64 - 2"),
        (json!({ "balance": -1 }), "balance: expected a number"),
        (json!({ "code": format!("0x{}", "00".repeat(24_577)) }), "code: expected at most 24576 bytes, got 24577"),
        (json!({ "storage": { "x": 1 } }), "storage.x: expected a number"),
        (json!(1), " expected an object"),
    ] {
        let (code, message) = load(json!({ "accounts": { &rich: account } })).unwrap_err();
        assert!(
            code == -32602 && message.contains(words) && message.starts_with(&format!("state.accounts.{rich}")),
            "{message}"
        );
    }
    let (code, message) = node.try_call("anvil_loadState", json!(["0x1f8b08"])).unwrap_err();
    assert_eq!((code, message.contains("gunzip")), (-32602, true), "{message}");
    let (code, message) = node.try_call("anvil_loadState", json!(["0x7b"])).unwrap_err();
    assert_eq!((code, message.starts_with("state: ")), (-32602, true), "{message}");
}
