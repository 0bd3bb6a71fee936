//! A case through revm.

use alloy_primitives::{Address, Bytes, TxKind, U256};
use cairn_vm_tests::fuzz::{
    Case, Step,
    world::{Holding, World, block_hash},
};
use chain_core::{
    execute::{Environment, Revision},
    transaction::account::{Authorization, Fees, Fields},
};
use revm::{
    Context, ExecuteCommitEvm, MainBuilder, MainContext, MainnetEvm,
    bytecode::Bytecode,
    context::{
        BlockEnv, CfgEnv, Journal, TxEnv,
        either::Either,
        result::{ExecutionResult, Output},
        transaction::{self, AccessListItem, RecoveredAuthorization, SignedAuthorization},
    },
    context_interface::block::BlobExcessGasAndPrice,
    database::{CacheDB, EmptyDB},
    handler::EthPrecompiles,
    precompile::{Precompile, PrecompileId, PrecompileOutput, PrecompileSpecId, Precompiles},
    primitives::hardfork::SpecId,
    state::AccountInfo,
};
use std::sync::OnceLock;

use super::{Answer, Ran};

type Store = CacheDB<EmptyDB>;
type Evm = MainnetEvm<Context<BlockEnv, TxEnv, CfgEnv, Store, Journal<Store>, ()>>;

pub(super) fn run(case: &Case) -> Answer {
    let mut evm = evm(&case.environment, store(&case.world, case.environment.number));
    let run_step = |step| {
        let ran = evm.transact_commit(transaction(step)).map_or(Ran::Refused, done);
        // The store leaves it to others to clear away what EIP-161 ends.
        evm.ctx.journaled_state.database.cache.accounts.retain(|_, account| !account.info.is_empty());
        ran
    };
    let ran = case.steps.iter().map(run_step).collect();
    Answer { ran, world: world(&evm.ctx.journaled_state.database) }
}

fn store(world: &World, number: u64) -> Store {
    let mut store = Store::default();
    for (address, Holding { nonce, balance, code, storage }) in &world.0 {
        // What begins as a delegation, but is none, is code as any other.
        let code = Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code.clone()));
        let info = AccountInfo {
            balance: *balance,
            nonce: *nonce,
            code_hash: code.hash_slow(),
            code: Some(code),
            ..AccountInfo::default()
        };
        store.insert_account_info(*address, info);
        for (slot, value) in storage {
            let Ok(()) = store.insert_account_storage(*address, *slot, *value);
        }
    }
    for number in number.saturating_sub(300)..number {
        store.cache.block_hashes.insert(U256::from(number), block_hash(number));
    }
    store
}

/// The accounts that exist: those that are not empty (EIP-161).
fn world(store: &Store) -> World {
    let holding = |(address, account): (&Address, &revm::database::DbAccount)| {
        let info = account.info()?;
        let code = store.cache.contracts.get(&info.code_hash).map(Bytecode::original_bytes).unwrap_or_default();
        let slots = account.storage.iter().filter(|(_, value)| !value.is_zero());
        let storage = slots.map(|(slot, value)| (*slot, *value)).collect();
        (!info.is_empty()).then(|| (*address, Holding { nonce: info.nonce, balance: info.balance, code, storage }))
    };
    World(store.cache.accounts.iter().filter_map(holding).collect())
}

/// The precompiled contracts of a revision. The one at 0x0a does nothing, as an empty account, but counts as accessed.
fn precompiles(revision: Revision) -> &'static Precompiles {
    static SETS: [OnceLock<Precompiles>; 2] = [OnceLock::new(), OnceLock::new()];
    let (set, id) = match revision {
        Revision::Cancun => (&SETS[0], PrecompileSpecId::CANCUN),
        Revision::Osaka => (&SETS[1], PrecompileSpecId::OSAKA),
    };
    set.get_or_init(|| {
        let nothing = |_: &[u8], _, reservoir| Ok(PrecompileOutput::new(0, Bytes::new(), reservoir));
        let mut set = Precompiles::new(id).clone();
        set.extend([Precompile::new(PrecompileId::custom("none"), Address::with_last_byte(0x0a), nothing)]);
        set
    })
}

fn evm(environment: &Environment, store: Store) -> Evm {
    let spec = match environment.revision {
        Revision::Cancun => SpecId::CANCUN,
        Revision::Osaka => SpecId::OSAKA,
    };
    let mut evm = Context::mainnet()
        .with_db(store)
        .modify_cfg_chained(|cfg| {
            cfg.set_spec_and_mainnet_gas_params(spec);
            cfg.chain_id = environment.chain_id;
        })
        .modify_block_chained(|block| {
            block.number = U256::from(environment.number);
            block.timestamp = U256::from(environment.time);
            block.gas_limit = environment.gas_limit;
            block.basefee = environment.base_fee;
            block.prevrandao = Some(environment.difficulty.into());
            block.beneficiary = environment.beneficiary;
            block.blob_excess_gas_and_price = Some(BlobExcessGasAndPrice { excess_blob_gas: 0, blob_gasprice: 1 });
        })
        .build_mainnet();
    evm.precompiles = EthPrecompiles { precompiles: precompiles(environment.revision), spec };
    evm
}

fn transaction(Step { sender, fields }: &Step) -> TxEnv {
    let (gas_price, gas_priority_fee) = match fields.fees {
        Fees::Legacy { gas_price } => (gas_price, None),
        Fees::Dynamic { max_fee, max_priority_fee } => (max_fee, Some(max_priority_fee.saturating_to())),
    };
    TxEnv {
        tx_type: fields.tx_type,
        caller: *sender,
        gas_limit: fields.gas_limit,
        gas_price: gas_price.saturating_to(),
        kind: fields.to.map_or(TxKind::Create, TxKind::Call),
        value: fields.value,
        data: fields.input.clone(),
        nonce: fields.nonce,
        chain_id: Some(fields.chain_id),
        access_list: access_list(fields),
        gas_priority_fee,
        authorization_list: fields.authorizations.iter().map(authorization).collect(),
        ..TxEnv::default()
    }
}

fn access_list(fields: &Fields) -> transaction::AccessList {
    let items = fields.access_list.iter();
    let items = items.map(|(address, slots)| AccessListItem { address: *address, storage_keys: slots.clone() });
    transaction::AccessList(items.collect())
}

fn authorization(authorization: &Authorization) -> Either<SignedAuthorization, RecoveredAuthorization> {
    let Authorization { chain_id, address, nonce, y_parity, r, s } = *authorization;
    let inner = transaction::Authorization { chain_id, address, nonce };
    Either::Left(SignedAuthorization::new_unchecked(inner, y_parity, r, s))
}

fn done(result: ExecutionResult) -> Ran {
    let gas_used = result.tx_gas_used();
    let logs = result.logs().to_vec();
    let (status, output, created) = match result {
        ExecutionResult::Success { output: Output::Call(output), .. } => ("success", output, None),
        ExecutionResult::Success { output: Output::Create(output, created), .. } => ("success", output, created),
        ExecutionResult::Revert { output, .. } => ("revert", output, None),
        ExecutionResult::Halt { .. } => ("halt", Bytes::new(), None),
    };
    Ran::Done { status, gas_used, output, logs, created }
}
