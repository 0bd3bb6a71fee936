//! Certificates: a quorum of members says that a block is final.

use serde::{Deserialize, Serialize};

use super::signing::{BadSigners, Electorate, Signed, check_signers};
use crate::{codec::at_most, hash::BlockHash, spec::MOST_MEMBERS, units::Height};

/// Most signatures of a certificate.
const MOST: usize = 2 * (MOST_MEMBERS / 3) + 1;

/// A quorum of members says that a block is final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Height of the block.
    pub height: Height,
    /// The block.
    pub hash: BlockHash,
    /// 2f+1 signatures, in the order of members.
    #[serde(deserialize_with = "at_most::<MOST, _, _>")]
    pub signatures: Vec<Signed>,
}

/// Why a certificate is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not a height of a checkpoint.
    #[error("height {got} is not a positive multiple of {interval}")]
    Height {
        /// Its height.
        got: Height,
        /// What it should be a multiple of.
        interval: u32,
    },
    /// Too few or too many signatures.
    #[error("{got} signatures, expected {expected}")]
    Count {
        /// How many it has.
        got: usize,
        /// How many it should have.
        expected: usize,
    },
    /// A signature of nobody.
    #[error("member {member}: there are {members} members, numbered from 0")]
    Foreign {
        /// The number that it names.
        member: u8,
        /// How many members there are.
        members: u8,
    },
    /// A member twice, or not in order.
    #[error("member {0} is there twice or not in order")]
    Order(u8),
    /// A signature that does not verify.
    #[error("the signature of member {0} is not valid")]
    Signature(u8),
}

impl Certificate {
    /// Checks all that needs no chain, from cheap to expensive.
    ///
    /// # Errors
    /// [`CertificateError`] for the first rule that it breaks.
    pub fn check(&self, electorate: &Electorate) -> Result<(), CertificateError> {
        let rules = &electorate.rules;
        // FIN-2
        if !rules.is_checkpoint(self.height) {
            return Err(CertificateError::Height { got: self.height, interval: rules.interval });
        }
        // FIN-2
        check_signers(rules, self.signatures.iter().map(|signed| signed.member)).map_err(|wrong| match wrong {
            BadSigners::Count(got) => CertificateError::Count { got, expected: rules.quorum() },
            BadSigners::Foreign(member) => CertificateError::Foreign { member, members: rules.count() },
            BadSigners::Order(member) => CertificateError::Order(member),
        })?;
        // FIN-2
        let message = electorate.certificate_message(self.height, &self.hash);
        let forged = self.signatures.iter().find(|signed| !electorate.verify(signed.member, message, signed.signature));
        forged.map_or(Ok(()), |signed| Err(CertificateError::Signature(signed.member)))
    }
}
