//! Mining for a node over JSON-RPC.
