//! BIP 340's test vectors through the signature check of coin transactions.

#![allow(clippy::unwrap_used)]

use chain_core::{
    coin::{KeyBytes, Signature},
    sighash::SignatureCheck,
};

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    hex::decode(text).unwrap().try_into().ok()
}

// COIN-12
#[test]
fn verdicts_are_those_of_bip_340() {
    let Some(file) = cairn_vectors::read("bip340.csv") else { return };
    let text = String::from_utf8(file).unwrap();
    let mut verdicts = [0, 0];
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        // Messages here are always 32 bytes; the vectors end with four of other lengths.
        let Some(message) = bytes(fields[4]) else { continue };
        let key = KeyBytes(bytes(fields[2]).unwrap());
        let signature = Signature::from(bytes::<64>(fields[5]).unwrap());
        let expected = fields[6] == "TRUE";
        assert_eq!(SignatureCheck { key, message, signature }.verify(), expected, "vector {}", fields[0]);
        verdicts[usize::from(expected)] += 1;
    }
    assert_eq!(verdicts, [10, 5]);
}
