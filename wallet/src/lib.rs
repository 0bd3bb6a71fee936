//! Cairn's wallet: keys from one mnemonic, coin selection, signing and the offline path.
//!
//! It talks JSON-RPC to a node and trusts it with nothing but facts: amounts and locks of the coins spent are part of
//! what is signed, and keys never leave this process.
