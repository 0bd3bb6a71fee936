//! Which functions are called, and with how much data: geth's `4byteTracer`.

use chain_core::{
    execute::Revision,
    vm::{FrameKind, FrameStart, precompiles::is_precompile},
};
use serde::Serialize;
use std::collections::BTreeMap;

use super::limit::Limit;

/// Counts calls by selector and length of the arguments.
#[derive(Default, Serialize)]
pub struct Selectors(BTreeMap<String, u64>);

impl Selectors {
    pub(super) fn enter(&mut self, frame: &FrameStart<'_>, limit: &mut Limit<'_>) {
        let is_call = !matches!(frame.kind, FrameKind::Create | FrameKind::Create2 | FrameKind::SelfDestruct);
        let Some((selector, arguments)) = frame.input.split_first_chunk::<4>() else { return };
        if !is_call || is_precompile(Revision::Osaka, &frame.to) {
            return;
        }
        let key = format!("0x{}-{}", hex::encode(selector), arguments.len());
        if self.0.contains_key(&key) || limit.charge(100) {
            *self.0.entry(key).or_default() += 1;
        }
    }
}
