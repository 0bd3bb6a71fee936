//! Addresses of coin locks: bech32m.
