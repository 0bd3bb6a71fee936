//! An account transaction that is to be signed.

use alloy_primitives::{Address, Bytes, U256};
use chain_core::{
    codec,
    execute::{GATEWAY, HISTORY, withdraw_calldata},
    transaction::{
        account::{AccountTransaction, Fees, Fields},
        coin::Lock,
    },
    units::{Amount, Gas},
};
use serde::{Deserialize, Serialize};

use super::{error::DraftError, unspendable::keeps_all};
use crate::{
    contract::{decoded_call, well_known},
    input::bounded,
    keys::{KeyPath, Signer},
    network::{BadAddress, Network},
    own::KeyTable,
};

/// An account transaction (EIP-1559) that is to be signed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccountDraft {
    pub from: String,
    /// Path of its key in the owner's tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyPath>,
    /// Number of transactions that it sent before.
    pub nonce: u64,
    /// Who is called or paid; none if it creates a contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The value in wei.
    #[serde(with = "crate::text")]
    pub value_wei: U256,
    /// Most gas to use.
    pub gas_limit: Gas,
    /// Most to pay for a unit of gas, in wei.
    #[serde(with = "crate::text")]
    pub max_fee_per_gas_wei: U256,
    /// Most of it for the miner.
    #[serde(with = "crate::text")]
    pub max_priority_fee_per_gas_wei: U256,
    /// Calldata, or the code that makes a contract, in hex.
    #[serde(default, with = "hex::serde", skip_serializing_if = "Vec::is_empty")]
    pub input: Vec<u8>,
    /// The coin address that the calldata withdraws to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdraw_to: Option<String>,
    /// Signature of the function that the calldata calls, as in `transfer(address,uint256)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// The signed transaction, in hex.
    #[serde(default, with = "hex::serde", skip_serializing_if = "Vec::is_empty")]
    pub signed: Vec<u8>,
}

/// A function that calldata calls. Four bytes of a hash choose it, and other names with the same four are easily found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    pub name: String,
    /// What the calldata begins with.
    pub selector: [u8; 4],
    /// Whether it is the well-known function of this selector, not what the file says.
    pub known: bool,
    /// Types and texts of the arguments, if the calldata is exactly a call with some.
    pub arguments: Option<Vec<(String, String)>>,
}

/// The lock that calldata withdraws to, if it is exactly what [`withdraw_calldata`] writes.
pub fn withdraw_lock(input: &[u8]) -> Option<Lock> {
    let length = usize::try_from(U256::try_from_be_slice(input.get(36..68)?)?).ok()?;
    let lock = codec::decode(input.get(68..)?.get(..length)?).ok()?;
    (*withdraw_calldata(&lock) == *input).then_some(lock)
}

impl AccountDraft {
    /// Most that it can cost beside the value, in wei.
    pub fn max_fee(&self) -> U256 {
        self.max_fee_per_gas_wei.saturating_mul(U256::from(self.gas_limit))
    }

    /// Whether code of a user runs: then neither is the value what the fee is for, nor is a simple payment made.
    pub fn runs_code(&self) -> bool {
        self.to.is_none() || (!self.input.is_empty() && self.withdraw_to.is_none())
    }

    /// What its fee is compared with: code may be worth any fee that is not absurd.
    pub fn worth(&self) -> U256 {
        if self.runs_code() { U256::MAX } else { self.value_wei }
    }

    /// The contract that it makes.
    ///
    /// # Errors
    /// [`BadAddress`] if the sender is no account.
    pub fn made_contract(&self, network: &Network) -> Result<Option<Address>, Box<BadAddress>> {
        let from = network.account(&self.from)?;
        Ok(self.to.is_none().then(|| from.create(self.nonce)))
    }

    /// Types and texts of the arguments, if it names the function that it calls.
    pub fn arguments(&self) -> Option<Vec<(String, String)>> {
        decoded_call(self.function.as_ref()?, &self.input)
    }

    /// The function that its data calls.
    pub fn called(&self) -> Option<Called> {
        let calls = self.to.is_some() && (self.function.is_some() || self.runs_code());
        let selector = self.input.first_chunk::<4>().filter(|_| calls)?;
        let known = well_known(selector);
        let name = known.map(str::to_owned).or_else(|| self.function.clone())?;
        Some(Called { arguments: decoded_call(&name, &self.input), selector: *selector, known: known.is_some(), name })
    }

    /// What it says, as the chain sees it.
    pub fn fields(&self, network: &Network) -> Result<Fields, DraftError> {
        Ok(Fields {
            tx_type: 2,
            chain_id: network.chain_id,
            nonce: self.nonce,
            fees: Fees::Dynamic {
                max_fee: self.max_fee_per_gas_wei,
                max_priority_fee: self.max_priority_fee_per_gas_wei,
            },
            gas_limit: self.gas_limit,
            to: self.to.as_ref().map(|to| network.account(to)).transpose()?,
            value: self.value_wei,
            input: Bytes::from(self.input.clone()),
            access_list: Vec::new(),
            authorizations: Vec::new(),
        })
    }

    /// Checks that its parts agree, and that a signature is one of its sender over just that.
    pub fn check(&self, network: &Network) -> Result<(), DraftError> {
        let (from, fields) = self.check_contents(network)?;
        if self.signed.is_empty() {
            return Ok(());
        }
        let signed = decode(&self.signed)?;
        if *signed.fields() != fields {
            return Err(DraftError::Contradiction("what is signed is not what it says".into()));
        }
        if signed.recover_sender().ok() != Some(from) {
            return Err(DraftError::Contradiction(format!("it is not signed by {}", self.from)));
        }
        Ok(())
    }

    /// Checks that its parts agree, whatever is signed; returns its sender and what it says.
    pub fn check_contents(&self, network: &Network) -> Result<(Address, Fields), DraftError> {
        let from = network.account(&self.from)?;
        let fields = self.fields(network)?;
        let contradiction = |what: String| Err(DraftError::Contradiction(what));
        if self.max_priority_fee_per_gas_wei > self.max_fee_per_gas_wei {
            return contradiction("the tip is higher than the whole price of gas".into());
        }
        if fields.to.is_none() && fields.input.is_empty() {
            return contradiction("it makes a contract, but without code: the value would be lost".into());
        }
        if let Some(function) = self.function.as_ref().filter(|_| self.to.is_none() || self.arguments().is_none()) {
            return contradiction(format!("its data is not a call of '{}'", bounded(function)));
        }
        if fields.to == Some(HISTORY) && !fields.value.is_zero() {
            let what = keeps_all(&HISTORY).unwrap_or_default();
            return Err(DraftError::Kept { to: HISTORY.to_string(), what });
        }
        let to_gateway = fields.to == Some(GATEWAY);
        let lock = self.withdraw_to.as_ref().map(|text| network.coin_address(text)).transpose()?;
        if to_gateway && withdraw_lock(&self.input).is_none() {
            return contradiction(
                "it pays the gateway but its data is not a withdrawal, so the value would be lost: `cairn-wallet withdraw` makes \
                 one"
                    .into(),
            );
        }
        if to_gateway && Amount::from_wei_exact(self.value_wei).is_none() {
            return contradiction("a withdrawal takes a whole number of grains".into());
        }
        if lock != withdraw_lock(&self.input).filter(|_| to_gateway) {
            return contradiction("its data withdraws to another address than it says".into());
        }
        Ok((from, fields))
    }

    /// Drops a signature that is not the sender's over what the file says: else anyone who handles the file
    /// could keep the owner from signing.
    fn drop_bogus(&mut self, network: &Network) {
        if self.check(network).is_err() {
            self.signed.clear();
        }
    }

    /// Signs if the sender is one of this wallet's accounts; returns 1 if that was new.
    pub(super) fn sign(&mut self, network: &Network, signer: &Signer, own: &KeyTable) -> Result<usize, DraftError> {
        let (from, fields) = self.check_contents(network)?;
        if network.is_public() {
            return Err(DraftError::PublicChain(network.chain_id));
        }
        self.drop_bogus(network);
        let Some(index) = own.account(&from, self.key).filter(|_| self.signed.is_empty()) else {
            return Ok(0);
        };
        let signed = signer.sign_account(index, fields)?;
        self.signed = signed.map_err(|error| DraftError::Rule(error.to_string()))?.raw().to_vec();
        Ok(1)
    }

    /// The signed transaction, verified.
    pub(super) fn finish(&self, network: &Network) -> Result<AccountTransaction, DraftError> {
        self.check(network)?;
        if self.signed.is_empty() {
            return Err(DraftError::Incomplete(format!("it is not signed by {}", self.from)));
        }
        decode(&self.signed)
    }

    /// Takes the signature of another copy, if it verifies.
    pub(super) fn combine(&mut self, network: &Network, mut other: Self) -> Result<(), DraftError> {
        let bare = |draft: &Self| Self { signed: Vec::new(), ..draft.clone() };
        if bare(self) != bare(&other) {
            return Err(DraftError::NotParts("the contents"));
        }
        self.drop_bogus(network);
        other.drop_bogus(network);
        if self.signed.is_empty() {
            self.signed = other.signed;
        }
        Ok(())
    }
}

fn decode(raw: &[u8]) -> Result<AccountTransaction, DraftError> {
    AccountTransaction::decode(raw.to_vec().into()).map_err(|error| DraftError::Rule(error.to_string()))
}
