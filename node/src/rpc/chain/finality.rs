//! Who finalizes blocks, and how far that is.

use chain_core::{
    finality::{Certificate, Evidence, Vote},
    hash::BlockHash,
    units::Height,
};
use serde_json::{Value, json};

use crate::{
    engine::FinalityInfo,
    rpc::base::{Args, Context, Method, RpcResult, read},
};

pub const METHODS: &[Method] = &[Method::new("chain_getFinality", &[], get_finality).reads()];

fn get_finality(context: &Context, _: Args) -> RpcResult<Value> {
    let info = context.query(|engine| engine.chain().finality_info())?;
    let snapshot = context.snapshot()?;
    let (tip, height) = (snapshot.tip().height, read::finalized(context, &snapshot)?);
    let finalized = snapshot.at_height(height)?.map(|at| place(at.height, &at.hash));
    let rules = context.spec.finality.as_ref();
    let info = info.as_ref();
    Ok(json!({
        "members": info.map(members).unwrap_or_default(),
        "interval": rules.map(|rules| rules.interval),
        "depth": rules.map(|rules| rules.depth),
        "window": rules.map(|rules| rules.window),
        "finalized": finalized,
        "lag": tip - height,
        "certificate": info.and_then(|info| info.newest.as_ref()).map(certificate),
        "wanted": info.and_then(|info| info.wanted.as_ref()).map(|wanted| place(wanted.height, &wanted.hash)),
        "refused": info.and_then(|info| info.refused.as_ref()).map(|refused| place(refused.height, &refused.hash)),
        "alarm": info.and_then(|info| info.alarm.as_ref()),
        "next": info.map(|info| json!({ "height": info.next, "view": info.view, "leader": info.leader })),
        "member": info.and_then(|info| info.member),
        "silentBelow": info.and_then(|info| info.silent_below),
        "signedAhead": info.and_then(|info| info.signed_ahead),
        "evidence": info.map(|info| info.evidence.iter().map(evidence).collect::<Vec<_>>()).unwrap_or_default(),
    }))
}

fn place(height: Height, hash: &BlockHash) -> Value {
    json!({ "height": height, "hash": hash.to_string() })
}

/// Each member with its votes of the round.
fn members(info: &FinalityInfo) -> Vec<Value> {
    let of = |member: u8| info.votes.iter().filter(move |vote| vote.signed.member == member).map(cast);
    let accused = |member| info.evidence.iter().any(|evidence| evidence.member() == member);
    let show = |(member, key): (u8, &chain_core::transaction::coin::KeyBytes)| {
        let votes: Vec<_> = of(member).collect();
        json!({ "key": hex::encode(key.0), "faulty": accused(member), "votes": votes })
    };
    (0..).zip(&info.members).map(show).collect()
}

fn cast(vote: &Vote) -> Value {
    let said = &vote.statement;
    json!({ "kind": said.kind().name(), "view": said.view(), "hash": said.hash().map(|hash| hash.to_string()) })
}

fn certificate(certificate: &Certificate) -> Value {
    let signed = certificate.signatures.iter();
    let signatures =
        signed.map(|signed| json!({ "member": signed.member, "signature": hex::encode(signed.signature.0) }));
    json!({
        "height": certificate.height,
        "hash": certificate.hash.to_string(),
        "signatures": signatures.collect::<Vec<_>>(),
    })
}

fn evidence(evidence: &Evidence) -> Value {
    let side = |vote: &Vote| {
        json!({
            "hash": vote.statement.hash().map(|hash| hash.to_string()),
            "signature": hex::encode(vote.signed.signature.0),
        })
    };
    json!({
        "member": evidence.member(),
        "height": evidence.first.height,
        "kind": evidence.first.statement.kind().name(),
        "view": evidence.first.statement.view(),
        "votes": [side(&evidence.first), side(&evidence.second)],
    })
}
