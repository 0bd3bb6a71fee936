//! Context-free checks of an account transaction, and its intrinsic gas.

use crate::{
    error::RuleError,
    gas::{self, MAX_INITCODE, MAX_TRANSACTION_GAS},
    spec::ChainSpec,
    transaction::account::Fields,
    units::Gas,
    vm::{Environment, Revision},
};

/// The parameters of the context-free rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountRules {
    /// The fork.
    pub revision: Revision,
    /// The chain id that transactions must have.
    pub chain_id: u64,
    /// Maximum gas limit of a transaction, from Osaka on (ACC-7).
    pub transaction_gas: Gas,
}

impl AccountRules {
    /// The parameters of a chain.
    pub fn of(spec: &ChainSpec) -> Self {
        Self { revision: Revision::Osaka, chain_id: spec.chain_id, transaction_gas: MAX_TRANSACTION_GAS }
    }

    /// The parameters of an execution environment.
    pub fn within(environment: &Environment) -> Self {
        let Environment { revision, chain_id, transaction_gas, .. } = *environment;
        Self { revision, chain_id, transaction_gas }
    }
}

/// Gas that a transaction costs whatever it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntrinsicGas {
    /// Intrinsic gas: base, calldata, access list (EIP-2930), initcode (EIP-3860), authorizations (EIP-7702).
    pub intrinsic: Gas,
    /// The calldata floor (EIP-7623).
    pub floor: Gas,
}

impl IntrinsicGas {
    /// Computes the intrinsic gas of a transaction.
    pub fn of(revision: Revision, fields: &Fields) -> Self {
        let (zeros, others) = count_bytes(&fields.input);
        let slots: usize = fields.access_list.iter().map(|(_, slots)| slots.len()).sum();
        let creation = match fields.to {
            Some(_) => 0,
            None => gas::CREATE + gas::words(fields.input.len(), gas::INITCODE_WORD),
        };
        let intrinsic = gas::TRANSACTION
            + gas::ZERO_BYTE * zeros
            + gas::BYTE * others
            + gas::ACCESS_LIST_ADDRESS * fields.access_list.len() as Gas
            + gas::ACCESS_LIST_SLOT * slots as Gas
            + gas::AUTHORIZATION * fields.authorizations.len() as Gas
            + creation;
        let floor = match revision {
            Revision::Cancun => 0,
            Revision::Osaka => gas::TRANSACTION + gas::FLOOR_ZERO_BYTE * zeros + gas::FLOOR_BYTE * others,
        };
        Self { intrinsic, floor }
    }

    /// Minimum gas limit.
    pub fn needed(self) -> Gas {
        self.intrinsic.max(self.floor)
    }

    /// Minimum gas used, since a refund is at most a fifth (VM-3).
    pub fn least_used(self) -> Gas {
        (self.intrinsic - self.intrinsic / 5).max(self.floor)
    }
}

/// Counts of zero and other bytes, in chunks whose sums fit in a byte, so that the compiler vectorises the loop.
fn count_bytes(input: &[u8]) -> (Gas, Gas) {
    let zeros_of = |chunk: &[u8]| Gas::from(chunk.iter().map(|byte| u8::from(*byte == 0)).sum::<u8>());
    let zeros: Gas = input.chunks(255).map(zeros_of).sum();
    (zeros, input.len() as Gas - zeros)
}

/// Checks an account transaction without the state, cheapest checks first; returns its minimum gas.
///
/// # Errors
/// ACC-1 for a type that the revision does not have, ACC-2, ACC-5, ACC-6, ACC-7, ACC-9, ACC-12, ACC-13.
pub fn check_account_transaction(rules: &AccountRules, fields: &Fields) -> Result<IntrinsicGas, RuleError> {
    // ACC-2
    if fields.chain_id != rules.chain_id {
        return Err(RuleError::ChainId { got: fields.chain_id, expected: rules.chain_id });
    }
    // ACC-5
    if fields.nonce == u64::MAX {
        return Err(RuleError::NonceTooHigh(fields.nonce));
    }
    // ACC-7
    if rules.revision >= Revision::Osaka && fields.gas_limit > rules.transaction_gas {
        let limit = rules.transaction_gas;
        return Err(RuleError::GasLimitTooHigh { got: fields.gas_limit, limit });
    }
    // ACC-9
    let (fee_cap, tip_cap) = (fields.fees.fee_cap(), fields.fees.tip_cap());
    if tip_cap > fee_cap {
        return Err(RuleError::TipAboveFeeCap { got: tip_cap, fee_cap });
    }
    // ACC-1
    if fields.tx_type == 4 && rules.revision < Revision::Osaka {
        return Err(RuleError::UnsupportedType(fields.tx_type));
    }
    // ACC-13
    if fields.tx_type == 4 && (fields.to.is_none() || fields.authorizations.is_empty()) {
        return Err(RuleError::EmptySetCode);
    }
    // ACC-12
    if fields.to.is_none() && fields.input.len() > MAX_INITCODE {
        return Err(RuleError::InitcodeTooLong { got: fields.input.len(), limit: MAX_INITCODE });
    }
    // ACC-6
    let gas = IntrinsicGas::of(rules.revision, fields);
    if fields.gas_limit < gas.needed() {
        return Err(RuleError::IntrinsicGas { got: fields.gas_limit, needed: gas.needed() });
    }
    Ok(gas)
}
