use alloy_primitives::{B256, U256, address, hex, keccak256};
use proptest::prelude::*;

use super::*;
use crate::{
    execute::{GATEWAY, HISTORY, HISTORY_CODE, encode_account},
    state::Account,
    transaction::{
        Transaction,
        coin::{KeyBytes, Lock},
    },
    trie::EMPTY_ROOT,
    units::GRAINS_PER_CRN,
};

const EXAMPLE: &str = include_str!("../../../docs/example-chain.toml");

fn presets() -> [ChainSpec; 5] {
    [ChainSpec::main(), ChainSpec::test(), ChainSpec::local(), ChainSpec::dev(), ChainSpec::devnet()]
}

fn example() -> ChainSpec {
    ChainSpec::from_toml(EXAMPLE).unwrap()
}

/// What a spec is refused for when a line of the example is replaced.
fn refusal(line: &str, by: &str) -> SpecError {
    assert_eq!(EXAMPLE.matches(line).count(), 1, "{line} stands once in the example");
    ChainSpec::from_toml(&EXAMPLE.replacen(line, by, 1)).unwrap_err()
}

fn field(field: &str, got: &str, allowed: &str) -> SpecError {
    SpecError::Field { field: field.into(), got: got.into(), allowed: allowed.into() }
}

/// The example with four members, changed.
fn with_finality(change: fn(&mut Finality)) -> Result<ChainSpec, SpecError> {
    let key = |member: u8| {
        let secret = secp256k1::SecretKey::from_secret_bytes([member; 32]).unwrap();
        KeyBytes::of(&secp256k1::Keypair::from_secret_key(&secret))
    };
    let mut finality = Finality { members: (1..5).map(key).collect(), interval: 20, depth: 6, window: 100 };
    change(&mut finality);
    let spec = ChainSpec { finality: Some(finality), ..example() };
    spec.validate().map(|()| spec)
}

#[test]
fn bad_parameters_of_finality_are_refused() {
    let refused = |change| with_finality(change).unwrap_err();
    let count = |got| field("finality.members", got, "expected 3f + 1 keys: 1, 4, 7, ... or 100");
    assert_eq!(refused(|finality| finality.members.clear()), count("0 keys"));
    assert_eq!(refused(|finality| _ = finality.members.pop()), count("3 keys"));
    assert_eq!(refused(|finality| finality.members.resize(5, KeyBytes([1; 32]))), count("5 keys"));
    assert_eq!(refused(|finality| finality.members.resize(103, KeyBytes([1; 32]))), count("103 keys"));
    let twice = refused(|finality| finality.members[3] = finality.members[1]);
    let SpecError::Field { field: name, allowed, .. } = twice else { panic!("a field") };
    assert_eq!((name.as_str(), allowed.as_str()), ("finality.members[3]", "the same key as finality.members[1]"));
    let reason = "not a public key (BIP 340); `cairn-node member new` makes one";
    let no_point = refused(|finality| finality.members[2] = KeyBytes([0; 32]));
    assert_eq!(no_point, field("finality.members[2]", &"0".repeat(64), reason));
    let positive = "expected 1 to 1000000";
    assert_eq!(refused(|finality| finality.interval = 0), field("finality.interval", "0", positive));
    assert_eq!(refused(|finality| finality.depth = 0), field("finality.depth", "0", positive));
    assert_eq!(refused(|finality| finality.window = 0), field("finality.window", "0", positive));
    let on_dev = ChainSpec { finality: with_finality(|_| {}).unwrap().finality, ..ChainSpec::dev() };
    assert!(matches!(on_dev.validate(), Err(SpecError::Field { field, .. }) if field == "finality"));
    assert!(with_finality(|finality| finality.members.truncate(1)).is_ok());
    let text = with_finality(|_| {}).unwrap().to_toml().replacen("members = [\"", "members = [\"x", 1);
    assert!(
        matches!(ChainSpec::from_toml(&text), Err(SpecError::Field { field, .. }) if field == "finality.members[0]")
    );
}

#[test]
fn what_is_built_in_is_valid_and_distinct() {
    for (index, spec) in presets().iter().enumerate() {
        assert_eq!(spec.validate(), Ok(()), "{}", spec.name);
        assert_eq!(ChainSpec::by_name(&spec.name).as_ref(), Some(spec));
        for other in &presets()[..index] {
            assert_ne!(spec.chain_id, other.chain_id);
            assert_ne!(spec.hrp, other.hrp);
            assert_ne!(spec.commitment(), other.commitment());
        }
    }
    assert_eq!(ChainSpec::by_name("other"), None);
}

#[test]
fn specs_read_back_from_toml() {
    for spec in presets().into_iter().chain([example(), with_finality(|_| {}).unwrap()]) {
        assert_eq!(ChainSpec::from_toml(&spec.to_toml()), Ok(spec));
    }
}

#[test]
fn the_example_says_what_its_comments_say() {
    let spec = example();
    assert_eq!((spec.name.as_str(), spec.chain_id, spec.target_interval), ("example", 133_799, 30));
    assert_eq!((spec.pow_limit_bits, spec.genesis_bits), (0x1f00_ffff, 0x1e00_ffff));
    assert_eq!((spec.subsidy, spec.tail_subsidy), (Amount::from_grains(500_000_000), Amount::from_grains(5_000_000)));
    let lock = Lock::Key(KeyBytes(hex!("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")));
    assert_eq!(spec.alloc_coins, [Output { amount: Amount::from_grains(1_000 * GRAINS_PER_CRN), lock }]);
    let [contract, alice] = &spec.alloc_accounts[..] else { panic!("two accounts") };
    assert_eq!(alice.address, address!("00000000000000000000000000000000000a11ce"));
    assert_eq!(alice.balance, U256::from(250_500_000_000_000_000_000_u128));
    assert_eq!((contract.nonce, contract.code.len()), (1, 8));
    assert_eq!(contract.storage, [(StorageWord(U256::ZERO), StorageWord(U256::from(42)))]);
}

#[test]
fn refuses_text_that_is_no_spec() {
    let syntax = |line: &str, by: &str| match refusal(line, by) {
        SpecError::Syntax { reason, .. } => reason,
        other => panic!("{other}"),
    };
    assert!(syntax("half_life = 288", "").contains("missing field `half_life`"));
    assert!(syntax("half_life = 288", "half_life = 288\nfoo = 1").contains("unknown field `foo`"));
    assert!(syntax("half_life = 288", "half_life = -1").contains("invalid value: integer `-1`"));
    assert!(syntax("half_life = 288", "half_life = \"288\"").contains("invalid type: string"));
    assert!(syntax("half_life = 288", "half_life = 4294967296").contains("invalid value"));
    assert!(syntax("half_life = 288", "half_life = 288\nhalf_life = 288").contains("duplicate key"));
    assert!(syntax("amount = \"1000\"", "amount = 1000").contains("invalid type: integer"));
    assert!(syntax("nonce = 1", "nonse = 1").contains("unknown field `nonse`"));
    assert!(
        matches!(ChainSpec::from_toml(""), Err(SpecError::Syntax { reason, .. }) if reason.contains("missing field"))
    );
    assert!(matches!(ChainSpec::from_toml("\u{0}"), Err(SpecError::Syntax { .. })));
    let told = refusal("half_life = 288", "half_life = \"288\"").to_string();
    assert!(told.starts_with("line ") && !told.contains('\n'), "one line: {told}");
}

#[test]
fn refuses_every_value_out_of_bounds() {
    let names = "expected 1 to 32 small letters, digits and dashes";
    let prefix = "expected 1 to 16 small letters";
    let grains = "an amount of CRN in quotes, up to 8 decimals, as in \"0.05\"";
    let public = "the id of a public Ethereum network: what is signed here would be valid there";
    let bits = "a compact target: 8 hexadecimal digits after 0x, as in \"0x1d00ffff\"";
    for (line, by, name, got, allowed) in [
        ("name = \"example\"", "name = \"\"", "name", "", names),
        ("name = \"example\"", "name = \"Example\"", "name", "Example", names),
        ("hrp = \"xcrn\"", "hrp = \"\"", "hrp", "", prefix),
        ("hrp = \"xcrn\"", "hrp = \"xCrn\"", "hrp", "xCrn", prefix),
        ("chain_id = 133799", "chain_id = 0", "chain_id", "0", "expected 1 to 4503599627370476"),
        ("chain_id = 133799", "chain_id = 1", "chain_id", "1", public),
        ("chain_id = 133799", "chain_id = 11155111", "chain_id", "11155111", public),
        ("target_interval = 30", "target_interval = 0", "target_interval", "0", "expected 1 to 86400"),
        ("half_life = 288", "half_life = 0", "half_life", "0", "expected 1 to 1000000000"),
        ("max_future = 120", "max_future = 4000000000", "max_future", "4000000000", "expected 0 to 3155760000"),
        ("maturity = 100", "maturity = 1000001", "coinbase_maturity", "1000001", "expected 0 to 1000000"),
        ("gas_limit = 60_000_000", "gas_limit = 1", "gas_limit", "1", "expected 100000 to 900000000"),
        ("block_bytes = 7_340_032", "block_bytes = 9", "max_block_bytes", "9", "expected 100000 to 8323072"),
        (
            "initial_base_fee = 1_000_000_000",
            "initial_base_fee = 7",
            "initial_base_fee",
            "7",
            "expected 1000000000 to 1000000000000000",
        ),
        ("halving_interval = 4_200_000", "halving_interval = 0", "halving_interval", "0", "expected 1 to 4294967295"),
        (
            "tail_subsidy = \"0.05\"",
            "tail_subsidy = \"5.1\"",
            "tail_subsidy",
            "5.10000000",
            "expected at most the subsidy, 5.00000000",
        ),
        ("tail_subsidy = \"0.05\"", "tail_subsidy = \"0.000000001\"", "tail_subsidy", "0.000000001", grains),
        ("tail_subsidy = \"0.05\"", "tail_subsidy = \"-1\"", "tail_subsidy", "-1", grains),
        ("subsidy = \"5\"", "subsidy = \"200000000000\"", "subsidy", "200000000000", grains),
        ("safe_depth = 20", "safe_depth = 121", "safe_depth", "121", "expected 0 to 120"),
        ("\"0x1e00ffff\"", "\"1e00ffff\"", "genesis_bits", "1e00ffff", bits),
        (
            "\"0x1e00ffff\"",
            "\"0x1f010000\"",
            "genesis_bits",
            "0x1f010000",
            "expected at most the target of pow_limit_bits",
        ),
        ("\"0x1f00ffff\"", "\"0x00000000\"", "pow_limit_bits", "0x00000000", "bits 0x00000000 are a target of zero"),
        ("\"0x1f00ffff\"", "\"0x1f80ffff\"", "pow_limit_bits", "0x1f80ffff", "bits 0x1f80ffff are negative"),
        (
            "\"0x1f00ffff\"",
            "\"0x210000ff\"",
            "pow_limit_bits",
            "0x210000ff",
            "bits 0x210000ff are not canonical, expected 0x2000ff00",
        ),
        (
            "\"0x1f00ffff\"",
            "\"0x2100ffff\"",
            "pow_limit_bits",
            "0x2100ffff",
            "expected at most 0x207fffff, two hashes a block",
        ),
    ] {
        assert_eq!(refusal(line, by), field(name, got, allowed));
    }
}

#[test]
fn refuses_allocations_that_cannot_be() {
    let balance = "an amount of CRN in quotes, up to 18 decimals";
    let alice_balance = "accounts[0x00000000000000000000000000000000000A11cE].balance";
    let storage = "accounts[0x000000000000000000000000000000000000c0DE].storage";
    let word = "1 to 64 hexadecimal digits after 0x";
    for (line, by, name, got, allowed) in [
        ("amount = \"1000\"", "amount = \"0\"", "coins[0].amount", "0.00000000", "expected more than zero"),
        ("\"250.5\"", "\"0.0000000000000000001\"", alice_balance, "0.0000000000000000001", balance),
        (
            "\"250.5\"",
            "\"0\"",
            alice_balance,
            "0",
            "an account without balance, nonce and code does not exist (EIP-161)",
        ),
        ("{ \"0x0\" = \"0x2a\" }", "{ \"0x0\" = \"42\" }", storage, "42", word),
        ("{ \"0x0\" = \"0x2a\" }", "{ \"0x0\" = \"0x00\" }", storage, "0", "a slot of zero does not exist"),
        (
            "{ \"0x0\" = \"0x2a\" }",
            "{ \"0x0\" = \"0x2a\", \"0x00\" = \"0x2b\" }",
            storage,
            "2",
            "a slot is there twice, or they are not sorted",
        ),
        ("code = \"0x5f545f5260205ff3\"", "", storage, "1", "only an account with code has storage"),
        (
            "\"0x5f545f5260205ff3\"",
            "\"0x5f5\"",
            "accounts[0x000000000000000000000000000000000000c0DE].code",
            "0x5f5",
            "hexadecimal digits, two a byte, as in \"0x60016000\"",
        ),
    ] {
        assert_eq!(refusal(line, by), field(name, got, allowed));
    }
    let contract = "0x000000000000000000000000000000000000c0de";
    let twice = refusal(contract, "0x00000000000000000000000000000000000a11ce");
    let alice = "0x00000000000000000000000000000000000A11cE";
    assert_eq!(twice, field("accounts", alice, "an address is there twice, or they are not sorted"));
    let gateway = "0x00000000000000000000000000000000000000c0";
    let name = format!("accounts[{GATEWAY}].address");
    assert_eq!(refusal(contract, gateway), field(&name, &GATEWAY.to_string(), "the gateway is there by itself"));
    let name = format!("accounts[{HISTORY}].address");
    let history = refusal(contract, "0x0000f90827f1c53a10cb7a02335b175320002935");
    assert_eq!(history, field(&name, &HISTORY.to_string(), "the history contract is there by itself"));
    let short = refusal(contract, "0xc0de");
    assert!(short.to_string().starts_with("accounts[1].address = 0xc0de: "), "{short}");
    let foreign = refusal("hrp = \"xcrn\"", "hrp = \"ycrn\"");
    assert!(foreign.to_string().starts_with("coins[0].address = xcrn1"), "{foreign}");
}

// AMT-1
#[test]
fn refuses_more_money_than_64_bits_from_grains_and_takes_all_of_them() {
    let mut spec = ChainSpec::main();
    let left = u64::MAX - u64::try_from(spec.minted_until(Height::MAX)).unwrap();
    let lock = Lock::Key(KeyBytes([2; 32]));
    spec.alloc_coins = vec![Output { amount: Amount::from_grains(left), lock }];
    assert_eq!(spec.validate(), Ok(()));
    spec.alloc_coins[0].amount = Amount::from_grains(left + 1);
    let most = "expected at most 184467440737.09551615 CRN";
    assert_eq!(spec.validate(), Err(field("all money there will ever be", "184467440737.09551616", most)));
}

// SUB-1
#[test]
fn the_subsidy_halves_down_to_its_tail() {
    let spec = ChainSpec::main();
    for (height, grains) in [
        (0, 0),
        (1, 500_000_000),
        (4_200_000, 500_000_000),
        (4_200_001, 250_000_000),
        (8_400_001, 125_000_000),
        (25_200_000, 15_625_000),
        (25_200_001, 7_812_500),
        (29_400_001, 5_000_000),
        (u32::MAX, 5_000_000),
    ] {
        assert_eq!(spec.subsidy_at(height), Amount::from_grains(grains), "at {height}");
    }
    let forever = ChainSpec { halving_interval: 1, tail_subsidy: Amount::ZERO, ..spec };
    assert_eq!(forever.subsidy_at(29), Amount::from_grains(500_000_000 >> 28));
    assert_eq!(forever.subsidy_at(1_000), Amount::ZERO);
}

// SUB-1
#[test]
fn the_supply_adds_up() {
    let spec = ChainSpec::main();
    assert_eq!(spec.minted_until(0), 0);
    assert_eq!(spec.minted_until(1), 500_000_000);
    assert_eq!(spec.minted_until(4_200_001), 4_200_000 * 500_000_000 + 250_000_000);
    // Seven periods halve 5 CRN to 0.078125, the tail follows.
    let halved = (0..7).map(|period| 4_200_000_u128 * (500_000_000 >> period)).sum::<u128>();
    assert_eq!(spec.minted_until(29_400_000), halved);
    assert_eq!(spec.minted_until(u32::MAX), halved + 5_000_000 * u128::from(u32::MAX - 29_400_000));
}

proptest! {
    // SUB-1
    #[test]
    fn the_supply_is_the_sum_of_all_subsidies(subsidy in 0_u64..1_000, tail in 0_u64..10, halving_interval in 1_u32..50, height in 0_u32..500) {
        let (subsidy, tail_subsidy) = (Amount::from_grains(subsidy.max(tail)), Amount::from_grains(tail));
        let spec = ChainSpec { subsidy, tail_subsidy, halving_interval, ..ChainSpec::main() };
        let sum: u128 = (0..=height).map(|height| u128::from(spec.subsidy_at(height).grains())).sum();
        prop_assert_eq!(spec.minted_until(height), sum);
    }
}

// GEN-1
#[test]
fn the_genesis_hashes_of_what_is_built_in_never_change() {
    let hashes = presets().map(|spec| spec.genesis_hash().to_string());
    let pinned = [
        "a5ef6e1f27b74b387dacd64de430e06de8692ba51ee6118303d7ea512ad3dd7f",
        "09963746cf21cd192e018f46f74bb99fb287cd4083bc5b5a39099dfe6cc4508e",
        "592d9136847e882b2dc701c4f25c9c663039ed7364bfd291859099f88eabef5d",
        "1f00f39d2cb483cd911dda8ba065e19ca4b449423f5af5a6b811fe5ce2e43bac",
        "f00aaabcacce580d67fe6e88261dd818b67f150873b45ecae303dcc690135aa6",
    ];
    assert_eq!(hashes, pinned);
}

// GEN-1
#[test]
fn the_genesis_hash_commits_to_every_field() {
    let spec = ChainSpec::dev();
    let changes: [fn(&mut ChainSpec); 24] = [
        |spec| spec.name.push('x'),
        |spec| spec.chain_id += 1,
        |spec| spec.hrp.push('x'),
        |spec| spec.target_interval += 1,
        |spec| spec.half_life += 1,
        |spec| spec.pow_limit_bits -= 1,
        |spec| spec.max_future += 1,
        |spec| spec.coinbase_maturity += 1,
        |spec| spec.gas_limit += 1,
        |spec| spec.base_fee_floor += 1,
        |spec| spec.initial_base_fee += 1,
        |spec| spec.subsidy = Amount::from_grains(spec.subsidy.grains() + 1),
        |spec| spec.halving_interval += 1,
        |spec| spec.tail_subsidy = Amount::from_grains(spec.tail_subsidy.grains() + 1),
        |spec| spec.max_block_bytes += 1,
        |spec| spec.safe_depth += 1,
        |spec| spec.finalized_depth += 1,
        |spec| spec.genesis_time += 1,
        |spec| spec.genesis_bits -= 1,
        |spec| spec.alloc_coins.push(Output { amount: Amount::from_grains(1), lock: Lock::Policy([1; 32]) }),
        |spec| spec.alloc_accounts = example().alloc_accounts,
        |spec| spec.finality = with_finality(|_| {}).unwrap().finality,
        |spec| spec.finality = with_finality(|finality| finality.members.truncate(1)).unwrap().finality,
        |spec| spec.finality = with_finality(|finality| finality.window += 1).unwrap().finality,
    ];
    let mut hashes = vec![spec.genesis_hash()];
    for change in changes {
        let mut other = spec.clone();
        change(&mut other);
        hashes.push(other.genesis_hash());
    }
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), 25);
}

#[test]
fn the_genesis_block_allocates_coins_and_accounts() {
    let spec = example();
    let (block, effects) = spec.genesis_block();
    let Transaction::Coinbase(coinbase) = &block.transactions[0] else { panic!("a coinbase") };
    assert_eq!((block.header.time, block.header.bits), (spec.genesis_time, spec.genesis_bits));
    assert_eq!(coinbase.outputs, spec.alloc_coins);
    assert_eq!(coinbase.receipts_root, EMPTY_ROOT);
    let [(outpoint, coin)] = effects.created[..] else { panic!("one coin") };
    assert_eq!((outpoint.txid, outpoint.index), (coinbase.txid(), 1));
    assert_eq!((coin.output, coin.height, coin.coinbase), (spec.alloc_coins[0], 0, false));
    let addresses: Vec<_> = effects.accounts.iter().map(|change| change.address).collect();
    let [contract, alice] = [spec.alloc_accounts[0].address, spec.alloc_accounts[1].address];
    assert_eq!(addresses, [GATEWAY, contract, alice, HISTORY]);
    let history = effects.accounts[3].after.unwrap();
    assert_eq!((history.nonce, history.balance, history.code_hash), (1, U256::ZERO, keccak256(HISTORY_CODE)));
    let gateway = effects.accounts[0].after.unwrap();
    assert_eq!((gateway.nonce, gateway.balance, gateway.code_hash), (1, U256::ZERO, keccak256([0xfe])));
    assert_eq!(effects.codes.len(), 3);
    assert_eq!((effects.storage.len(), effects.storage[0].after), (1, U256::from(42)));
    assert_eq!(effects.minted, U256::from(1_250_500_000_000_000_000_000_u128));
}

/// Root of a trie with these leaves, by another implementation.
fn rebuilt(mut leaves: Vec<(B256, Vec<u8>)>) -> B256 {
    leaves.sort();
    let mut builder = alloy_trie::HashBuilder::default();
    leaves.iter().for_each(|(key, value)| builder.add_leaf(alloy_trie::Nibbles::unpack(key), value));
    builder.root()
}

// ST-1
#[test]
fn the_genesis_state_root_is_that_of_a_full_rebuild() {
    let spec = example();
    let (block, effects) = spec.genesis_block();
    let Transaction::Coinbase(coinbase) = &block.transactions[0] else { panic!("a coinbase") };
    let account = |nonce, balance, storage_root, code: &[u8]| {
        encode_account(&Account { nonce, balance, storage_root, code_hash: keccak256(code) })
    };
    let storage_root = rebuilt(vec![(keccak256([0; 32]), vec![42])]);
    let [contract, alice] = &spec.alloc_accounts[..] else { panic!("two accounts") };
    let root = rebuilt(vec![
        (keccak256(GATEWAY), account(1, U256::ZERO, EMPTY_ROOT, &[0xfe])),
        (keccak256(HISTORY), account(1, U256::ZERO, EMPTY_ROOT, &HISTORY_CODE)),
        (keccak256(contract.address), account(1, U256::ZERO, storage_root, &contract.code)),
        (keccak256(alice.address), account(0, alice.balance, EMPTY_ROOT, &[])),
    ]);
    assert_eq!(coinbase.state_root, root);
    assert!(effects.nodes.iter().all(|change| change.node.is_some()));
}
