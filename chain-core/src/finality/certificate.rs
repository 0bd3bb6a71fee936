//! Certificates: a quorum of members says that a block is final.

use serde::{Deserialize, Serialize};

use super::{
    error::FinalityError,
    signing::{Electorate, MOST_SIGNATURES, Signed, Verify},
};
use crate::{codec::at_most, hash::BlockHash, units::Height};

/// A quorum of members says that a block is final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Height of the block.
    pub height: Height,
    /// The block.
    pub hash: BlockHash,
    /// 2f+1 signatures, in the order of members.
    #[serde(deserialize_with = "at_most::<MOST_SIGNATURES, _, _>")]
    pub signatures: Vec<Signed>,
}

impl Certificate {
    /// Checks all that needs no chain, from cheap to expensive.
    ///
    /// # Errors
    /// [`FinalityError`] for the first rule that it breaks.
    pub fn check(&self, electorate: &Electorate, verify: &mut Verify) -> Result<(), FinalityError> {
        // FIN-2
        electorate.check_height(self.height)?;
        electorate.check_quorum(self.signatures.iter().map(|signed| signed.member))?;
        let message = electorate.certificate_message(self.height, &self.hash);
        let signed: Vec<_> = self.signatures.iter().map(|signed| (*signed, message)).collect();
        electorate.verify(&signed, verify)
    }
}
