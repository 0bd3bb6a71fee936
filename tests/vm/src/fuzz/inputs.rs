//! Inputs of precompiled contracts that get somewhere, and others that almost do.

use alloy_primitives::{U256, hex};

use super::rng::Rng;

const BN_G1: [u8; 64] = hex!(
    "0000000000000000000000000000000000000000000000000000000000000001"
    "0000000000000000000000000000000000000000000000000000000000000002"
);
const BN_G2: [u8; 128] = hex!(
    "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2"
    "1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed"
    "090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b"
    "12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa"
);
const BN_MINUS_Y: [u8; 32] = hex!("30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd45");
const BLS_G1: [u8; 128] = hex!(
    "0000000000000000000000000000000017f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"
    "0000000000000000000000000000000008b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1"
);
const BLS_MINUS_Y: [u8; 64] = hex!(
    "00000000000000000000000000000000114d1d6855d545a8aa7d76c8cf2e21f267816aef1db507c96655b9d5caac42364e6f38ba0ecb751bad54dcd6b939c2ca"
);
const BLS_G2: [u8; 256] = hex!(
    "00000000000000000000000000000000024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
    "0000000000000000000000000000000013e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
    "000000000000000000000000000000000ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801"
    "000000000000000000000000000000000606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be"
);
/// hash, v, r, s.
const SIGNED: [u8; 128] = hex!(
    "456e9aea5e197a1f1af7a3e85a3212fa4049a3ba34c2289b4c860fc0b0c64ef3"
    "000000000000000000000000000000000000000000000000000000000000001c"
    "9242685bf161793cc25603c231bc2f568eb630ea16aa137d2664ac8038825608"
    "4f8ae3bd7535248d0bd448298cc2e2071e56992d0774dc340c368ae950852ada"
);
/// hash, r, s, x, y on P-256.
const P256_SIGNED: [u8; 160] = hex!(
    "4cee90eb86eaa050036147a12d49004b6b9c72bd725d39d4785011fe190f0b4d"
    "a73bd4903f0ce3b639bbbf6e8e80d16931ff4bcf5993d58468e8fb19086e8cac"
    "36dbcd03009df8c59286b162af3bd7fcc0450c9aa81be5d10d312af6c66b1d60"
    "4aebd3099c618202fcfe16ae7770b0c49ab5eadf74b754204a3bb6060e44eff3"
    "7618b065f9832de4ca6ca971a7a1adc826d0f7c00181a5fb2ddf79ae00b4e10e"
);

/// Where a precompiled contract is, or almost.
pub fn number(rng: &mut Rng) -> u16 {
    match rng.below(20) {
        // Cheap ones are called more often.
        0..=6 => *rng.pick(&[1, 2, 3, 4, 5, 9]),
        7 => *rng.pick(&[0, 0x0a, 0x12, 0xff, 0x101]),
        8 => 0x100,
        9 => 0x08,
        10..=13 => *rng.pick(&[0x05, 0x06, 0x07, 0x0b, 0x0d]),
        _ => 1 + rng.below(0x11) as u16,
    }
}

/// An input for the contract there.
pub fn input(rng: &mut Rng, number: u16) -> Vec<u8> {
    let mut input = plausible(rng, number);
    if rng.percent(12) {
        damage(rng, &mut input);
    }
    input
}

fn damage(rng: &mut Rng, input: &mut Vec<u8>) {
    match rng.below(4) {
        0 => input.truncate(rng.below(input.len() + 1)),
        1 => {
            let more = rng.below(40);
            input.extend(rng.bytes(more));
        }
        2 if !input.is_empty() => {
            let at = rng.below(input.len());
            input[at] ^= 1 << rng.below(8);
        }
        _ => {
            let len = rng.below(300);
            *input = rng.bytes(len);
        }
    }
}

fn plausible(rng: &mut Rng, number: u16) -> Vec<u8> {
    match number {
        1 => SIGNED.to_vec(),
        5 => modexp(rng),
        6 => [bn_g1(rng), bn_g1(rng)].concat(),
        7 => [bn_g1(rng), scalar(rng)].concat(),
        8 => many(rng, 3, |rng| [bn_g1(rng), bn_g2(rng)].concat()),
        9 => blake2f(rng),
        0x0b => [bls_g1(rng), bls_g1(rng)].concat(),
        0x0c => many(rng, 4, |rng| [bls_g1(rng), scalar(rng)].concat()),
        0x0d => [bls_g2(rng), bls_g2(rng)].concat(),
        0x0e => many(rng, 3, |rng| [bls_g2(rng), scalar(rng)].concat()),
        0x0f => many(rng, 3, |rng| [bls_g1(rng), bls_g2(rng)].concat()),
        0x10 => field_element(rng),
        0x11 => [field_element(rng), field_element(rng)].concat(),
        0x100 => P256_SIGNED.to_vec(),
        _ => {
            let len = rng.below(150);
            rng.bytes(len)
        }
    }
}

fn many(rng: &mut Rng, most: usize, one: impl Fn(&mut Rng) -> Vec<u8>) -> Vec<u8> {
    let count = rng.below(most + 1);
    (0..count).flat_map(|_| one(rng)).collect()
}

fn scalar(rng: &mut Rng) -> Vec<u8> {
    rng.word().to_be_bytes::<32>().to_vec()
}

fn bn_g1(rng: &mut Rng) -> Vec<u8> {
    match rng.below(4) {
        0 => vec![0; 64],
        1 => [&BN_G1[..32], &BN_MINUS_Y].concat(),
        _ => BN_G1.to_vec(),
    }
}

fn bn_g2(rng: &mut Rng) -> Vec<u8> {
    if rng.once_in(6) { vec![0; 128] } else { BN_G2.to_vec() }
}

fn bls_g1(rng: &mut Rng) -> Vec<u8> {
    match rng.below(6) {
        0 => vec![0; 128],
        1 => [&BLS_G1[..64], &BLS_MINUS_Y].concat(),
        // On the curve, not in the subgroup.
        2 => [vec![0; 127], vec![2]].concat(),
        _ => BLS_G1.to_vec(),
    }
}

fn bls_g2(rng: &mut Rng) -> Vec<u8> {
    if rng.once_in(6) { vec![0; 256] } else { BLS_G2.to_vec() }
}

fn field_element(rng: &mut Rng) -> Vec<u8> {
    let mut element = vec![0; 16];
    let top = rng.below(0x1b) as u8;
    element.push(top);
    element.extend(rng.bytes(47));
    element
}

fn blake2f(rng: &mut Rng) -> Vec<u8> {
    let rounds = *rng.pick(&[0u32, 1, 9, 10, 11, 12, 25, 1_000]);
    let flag = rng.below(2) as u8;
    [&rounds.to_be_bytes()[..], &rng.bytes(208), &[flag]].concat()
}

/// Lengths, then the numbers; sometimes lengths that promise too much, or numbers that end too early.
fn modexp(rng: &mut Rng) -> Vec<u8> {
    let lens = std::array::from_fn::<usize, 3, _>(|_| match rng.below(12) {
        0 => 0,
        1 => 1,
        2 => 32 + rng.below(3),
        3 => rng.below(300),
        _ => rng.below(40),
    });
    let mut input: Vec<u8> = lens.iter().flat_map(|len| U256::from(*len).to_be_bytes::<32>()).collect();
    if rng.once_in(10) {
        let at = 32 * rng.below(3);
        let lie = rng.word().to_be_bytes::<32>();
        input[at..at + 32].copy_from_slice(&lie);
    }
    for len in lens {
        let mut number = rng.bytes(len);
        match rng.below(6) {
            0 => number.fill(0),
            1 => number.fill(0xff),
            2 if len > 0 => {
                number.fill(0);
                let at = rng.below(len);
                number[at] = 1 << rng.below(8);
            }
            3 if len > 2 => number[len / 2..].fill(0),
            _ => {}
        }
        input.extend(number);
    }
    if rng.once_in(10) {
        input.truncate(rng.below(input.len() + 1));
    }
    input
}
