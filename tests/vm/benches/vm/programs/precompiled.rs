//! Precompiled contracts, on valid inputs.

use alloy_primitives::hex;

use super::{
    Code, Program,
    assembler::op::{GAS, POP, PUSH0, STATICCALL},
    looped,
};

/// Generators of the groups: of BN254 in the order of EIP-197, of BLS12-381 in that of EIP-2537, 48 bytes a number.
const BN_G2: &str = "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c21800deef121f1e76426a00665e5c4479674322d4f75eda\
    dd46debd5cd992f6ed090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c\
    43d37b4ce6cc0166fa7daa";
const BLS_G1: [&str; 2] = [
    "17f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb",
    "08b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1",
];
const BLS_G2: [&str; 4] = [
    "024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8",
    "13e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e",
    "0ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801",
    "0606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be",
];
/// Valid signatures.
const ECRECOVER: &str = "456e9aea5e197a1f1af7a3e85a3212fa4049a3ba34c2289b4c860fc0b0c64ef3000000000000000000000000000000000000000000000000\
    000000000000001c9242685bf161793cc25603c231bc2f568eb630ea16aa137d2664ac80388256084f8ae3bd7535248d0bd448298cc2e207\
    1e56992d0774dc340c368ae950852ada";
const P256VERIFY: &str = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9434287fa699ff2be2a4475ccd9c063d1a22a424b6ab357d9\
    bb0b31f7a71307b9be6af716032d408183c53f6f76945363144555fad2a5ff7854159166e52fc1d0da3c553a4215893e6d95d5818df2519e\
    13233a1e0e56e0ea7b4817a92a6973f9d8c8877a49383e20c3fdc21d4e8e280ef1feeb72c333036770369a4387168d33";

/// All programs of this kind.
pub fn all() -> Vec<Program> {
    let mut programs =
        vec![calling("ecrecover", 1, "", &hexed(ECRECOVER)), calling("p256verify", 0x100, "", &hexed(P256VERIFY))];
    for size in [0, 1, 55, 64, 128, 1_024, 16_384] {
        for (name, address) in [("sha256", 2), ("ripemd160", 3), ("identity", 4)] {
            programs.push(calling(name, address, format!("{size} bytes"), &vec![0xa5; size]));
        }
    }
    programs.extend(modexp());
    programs.extend(bn());
    for rounds in [0, 1, 12, 1_000, 100_000] {
        let input = [&u32::to_be_bytes(rounds)[..], &[0xa5; 208], &[1]].concat();
        programs.push(calling("blake2f", 9, format!("{rounds} rounds"), &input));
    }
    programs.extend(bls());
    programs
}

fn hexed(text: &str) -> Vec<u8> {
    hex::decode(text).expect("constants are hex")
}

/// Calls a precompiled contract with the same input for ever.
fn calling(name: &'static str, address: u64, variant: impl Into<String>, input: &[u8]) -> Program {
    let call = Code::default().op(&[PUSH0, PUSH0]).push(input.len() as u64).op(&[PUSH0]).push(address);
    Program::new(name, variant, looped(Code::default(), call.op(&[GAS, STATICCALL, POP]), input))
}

/// A number of some bytes: all ones, with the last byte as given.
fn ones(size: usize, last: u8) -> Vec<u8> {
    let mut bytes = vec![0xff; size];
    if let Some(end) = bytes.last_mut() {
        *end = last;
    }
    bytes
}

fn modexp() -> Vec<Program> {
    // Bytes of base, exponent and modulus; last byte of the modulus.
    let mut cases = Vec::new();
    for size in [1, 8, 16, 24, 32, 33, 40, 48, 64, 96, 128, 192, 256, 512, 1_024] {
        for exponent in [1, 8, 32] {
            for last in [0xff, 0xfe, 0x00] {
                cases.push((size, exponent, size, last));
            }
        }
    }
    cases.extend([
        (1_024, 1, 1, 0xfd),
        (1, 1_024, 1, 0xfd),
        (1, 1, 1_024, 0xfd),
        (32, 512, 32, 0xfd),
        (8, 1_024, 8, 0xfd),
    ]);
    let program = |(base, exponent, modulus, last): (usize, usize, usize, u8)| {
        let length = |size: usize| [&[0; 24][..], &(size as u64).to_be_bytes()].concat();
        let input = [
            length(base),
            length(exponent),
            length(modulus),
            ones(base, 0xf1),
            ones(exponent, 0xff),
            ones(modulus, last),
        ];
        let variant = format!("{base}, {exponent}, {modulus} bytes, modulus ends with {last:02x}");
        calling("modexp", 5, variant, &input.concat())
    };
    cases.into_iter().map(program).collect()
}

fn word(number: u8) -> Vec<u8> {
    [&[0; 31][..], &[number]].concat()
}

fn bn() -> Vec<Program> {
    let g1 = || [word(1), word(2)].concat();
    let double = hexed(
        "030644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd315ed738c0e0a7c92e7845f96b2ae9c0a68a6a449e3538fc7ff3ebf7a5a18a2c4",
    );
    let mut programs = vec![
        calling("bn254 add", 6, "doubling", &[g1(), g1()].concat()),
        calling("bn254 add", 6, "two points", &[g1(), double].concat()),
        calling("bn254 add", 6, "nothing", &[]),
        calling("bn254 mul", 7, "full scalar", &[g1(), ones(32, 0xff)].concat()),
        calling("bn254 mul", 7, "by two", &[g1(), word(2)].concat()),
    ];
    for pairs in [0, 1, 2, 4, 16, 64] {
        let input = [g1(), hexed(BN_G2)].concat().repeat(pairs);
        programs.push(calling("bn254 pairing", 8, format!("{pairs} pairs"), &input));
    }
    programs
}

/// Numbers of BLS12-381, padded to 64 bytes each.
fn padded(numbers: &[&str]) -> Vec<u8> {
    numbers.iter().flat_map(|number| [vec![0; 16], hexed(number)].concat()).collect()
}

fn bls() -> Vec<Program> {
    let (g1, g2) = (padded(&BLS_G1), padded(&BLS_G2));
    let mut programs = vec![
        calling("bls12-381 g1 add", 0x0b, "doubling", &[g1.clone(), g1.clone()].concat()),
        calling("bls12-381 g1 add", 0x0b, "infinity", &[g1.clone(), vec![0; 128]].concat()),
        calling("bls12-381 g2 add", 0x0d, "doubling", &[g2.clone(), g2.clone()].concat()),
        calling("bls12-381 map to g1", 0x10, "", &padded(&BLS_G1[..1])),
        calling("bls12-381 map to g2", 0x11, "", &padded(&BLS_G2[..2])),
    ];
    for count in [1, 2, 3, 4, 8, 16, 32, 64] {
        let of_g1 = [&g1[..], &ones(32, 0xfb)].concat().repeat(count);
        let of_g2 = [&g2[..], &ones(32, 0xfb)].concat().repeat(count);
        let variant = || format!("{count} points");
        programs.push(calling("bls12-381 g1 msm", 0x0c, variant(), &of_g1));
        programs.push(calling("bls12-381 g2 msm", 0x0e, variant(), &of_g2));
    }
    for pairs in [1, 2, 4, 8, 32] {
        let input = [&g1[..], &g2].concat().repeat(pairs);
        programs.push(calling("bls12-381 pairing", 0x0f, format!("{pairs} pairs"), &input));
    }
    programs
}
