//! 0x06 to 0x08 and 0x0b to 0x11.

use alloy_primitives::{U256, hex};

use super::{INVALID, output, run, word};

/// The order of alt_bn128's field.
const BN_PRIME: [u8; 32] = hex!("30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47");

fn bn_g1() -> Vec<u8> {
    [word(1), word(2)].concat()
}

fn bn_minus_g1() -> Vec<u8> {
    [word(1), (U256::from_be_bytes(BN_PRIME) - U256::from(2)).to_be_bytes()].concat()
}

const BN_G2: [u8; 128] = hex!(
    "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2"
    "1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed"
    "090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b"
    "12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa"
);

/// On the twist, but outside the subgroup: x = 1.
const BN_G2_OUTSIDE: [u8; 128] = hex!(
    "0000000000000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000001"
    "0d1271953ed9ea0836846e70a1934187998c7f790cb4d7511b7f8da82de048a4"
    "2869111d5381f072f8e2728fdb825a51aadd70e52c9830e9ab4b871c0531f1bb"
);

#[test]
fn bn254_adds_and_multiplies() {
    let double = hex!(
        "030644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd3"
        "15ed738c0e0a7c92e7845f96b2ae9c0a68a6a449e3538fc7ff3ebf7a5a18a2c4"
    );
    let (g1, order) = (bn_g1(), hex!("30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001"));
    assert_eq!(output(6, &[&g1[..], &g1].concat()), double);
    assert_eq!(output(6, &[&g1[..], &[0; 64]].concat()), g1);
    assert_eq!(output(6, &[&g1[..], &bn_minus_g1()].concat()), [0; 64]);
    assert_eq!(output(6, &[]), [0; 64]);
    assert_eq!(output(6, &g1), g1);
    assert_eq!(output(7, &[&g1[..], &word(2)].concat()), double);
    assert_eq!(output(7, &g1), [0; 64], "times nothing");
    assert_eq!(output(7, &[&g1[..], &order].concat()), [0; 64]);
    let above: [u8; 32] = (U256::from_be_bytes(order) + U256::from(2)).to_be_bytes();
    assert_eq!(output(7, &[&g1[..], &above].concat()), double, "modulo the order");
    assert_eq!(output(7, &[&[0; 64][..], &[0xff; 32]].concat()), [0; 64]);
}

#[test]
fn bn254_refuses_what_is_no_point() {
    for bad in [[word(1), word(1)], [word(0), word(1)], [BN_PRIME, word(0)], [word(0), BN_PRIME], [[0xff; 32]; 2]] {
        assert_eq!(run(6, &bad.concat()), INVALID);
        assert_eq!(run(7, &bad.concat()), INVALID);
        assert_eq!(run(8, &[&bad.concat()[..], &BN_G2].concat()), INVALID);
    }
    assert_eq!(run(8, &[&bn_g1()[..], &BN_G2_OUTSIDE].concat()), INVALID);
    assert_eq!(run(8, &[&[0; 64][..], &BN_G2_OUTSIDE].concat()), INVALID, "though the other point is infinite");
}

#[test]
fn bn254_pairs() {
    let (pair, inverse) = ([&bn_g1()[..], &BN_G2].concat(), [&bn_minus_g1()[..], &BN_G2].concat());
    assert_eq!(output(8, &[]), word(1));
    assert_eq!(output(8, &[0; 192]), word(1));
    assert_eq!(output(8, &pair), word(0));
    assert_eq!(output(8, &[&pair[..], &inverse].concat()), word(1));
    assert_eq!(output(8, &[&pair[..], &[0; 192], &inverse].concat()), word(1));
    assert_eq!(run(8, &pair[..191]), INVALID);
    assert_eq!(run(8, &[&pair[..], &[0]].concat()), INVALID);
}

/// A coordinate: 16 zeros before the number.
fn element(number: [u8; 48]) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[16..].copy_from_slice(&number);
    bytes
}

fn small(number: u8) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[63] = number;
    bytes
}

fn g1() -> Vec<u8> {
    let x = hex!("17f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb");
    let y = hex!("08b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1");
    [x, y].map(element).concat()
}

fn minus_g1() -> Vec<u8> {
    let y = hex!("114d1d6855d545a8aa7d76c8cf2e21f267816aef1db507c96655b9d5caac42364e6f38ba0ecb751bad54dcd6b939c2ca");
    [&g1()[..64], &element(y)].concat()
}

fn g2() -> Vec<u8> {
    let coordinates = [
        hex!("024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"),
        hex!("13e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"),
        hex!("0ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801"),
        hex!("0606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be"),
    ];
    coordinates.map(element).concat()
}

/// On the curve, but outside the subgroup: x = 0.
fn g1_outside() -> Vec<u8> {
    [small(0), small(2)].concat()
}

/// The same: x = 2.
fn g2_outside() -> Vec<u8> {
    let y = hex!("013a59858b6809fca4d9a3b6539246a70051a3c88899964a42bc9a69cf9acdd9dd387cfa9086b894185b9a46a402be73");
    let imaginary =
        hex!("02d27e0ec3356299a346a09ad7dc4ef68a483c3aed53f9139d2f929a3eecebf72082e5e58c6da24ee32e03040c406d4f");
    [small(2), small(0), element(y), element(imaginary)].concat()
}

const PRIME: [u8; 48] =
    hex!("1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab");

const ORDER: [u8; 32] = hex!("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001");

#[test]
fn bls_adds_points_of_the_curve() {
    let (g1, g2) = (g1(), g2());
    assert_eq!(output(0x0b, &[&g1[..], &minus_g1()].concat()), [0; 128]);
    assert_eq!(output(0x0b, &[&g1[..], &[0; 128]].concat()), g1);
    assert_eq!(output(0x0b, &[0; 256]), [0; 128]);
    assert_eq!(output(0x0d, &[&g2[..], &[0; 256]].concat()), g2);
    let double = output(0x0b, &[&g1[..], &g1].concat());
    assert_eq!(output(0x0c, &[&g1[..], &word(2)].concat()), double);
    let double = output(0x0d, &[&g2[..], &g2].concat());
    assert_eq!(output(0x0e, &[&g2[..], &word(2)].concat()), double);
    assert_eq!(output(0x0b, &[g1_outside(), g1_outside()].concat()).len(), 128, "no subgroup is asked for");
    assert_eq!(output(0x0d, &[g2_outside(), g2_outside()].concat()).len(), 256);
}

#[test]
fn bls_sums_products() {
    let (g1, g2) = (g1(), g2());
    for count in [1, 2, 3, 40] {
        let factor = word(count);
        let many = |point: &[u8]| [point, &word(1)].concat().repeat(count as usize);
        assert_eq!(output(0x0c, &many(&g1)), output(0x0c, &[&g1[..], &factor].concat()), "{count}");
        assert_eq!(output(0x0e, &many(&g2)), output(0x0e, &[&g2[..], &factor].concat()), "{count}");
    }
    assert_eq!(output(0x0c, &[&g1[..], &ORDER].concat()), [0; 128]);
    assert_eq!(output(0x0e, &[&g2[..], &ORDER, &[0; 256], &[0xff; 32]].concat()), [0; 256]);
    let largest: [u8; 32] = U256::MAX.reduce_mod(U256::from_be_bytes(ORDER)).to_be_bytes();
    let factors = |factor: &[u8]| output(0x0c, &[&g1[..], factor, &g1, factor].concat());
    assert_eq!(factors(&[0xff; 32]), factors(&largest), "modulo the order");
}

#[test]
fn bls_refuses_points_outside_the_subgroup_where_it_matters() {
    assert_eq!(run(0x0c, &[&g1_outside()[..], &word(1)].concat()), INVALID);
    assert_eq!(run(0x0e, &[&g2_outside()[..], &word(1)].concat()), INVALID);
    assert_eq!(run(0x0f, &[g1_outside(), g2()].concat()), INVALID);
    assert_eq!(run(0x0f, &[g1(), g2_outside()].concat()), INVALID);
    assert_eq!(run(0x0f, &[&[0; 128][..], &g2_outside()].concat()), INVALID, "though the other point is infinite");
}

#[test]
fn bls_refuses_what_is_no_point() {
    let mut padded = g1();
    padded[0] = 1;
    let off_curve = [small(0), small(1)].concat();
    let too_big = [element(PRIME), small(2)].concat();
    for bad in [padded, off_curve, too_big] {
        assert_eq!(run(0x0b, &[&bad[..], &g1()].concat()), INVALID);
        assert_eq!(run(0x0b, &[&g1()[..], &bad].concat()), INVALID);
        assert_eq!(run(0x0c, &[&bad[..], &word(1)].concat()), INVALID);
        assert_eq!(run(0x0d, &[&bad.repeat(2)[..], &g2()].concat()), INVALID);
        assert_eq!(run(0x0f, &[&bad[..], &g2()].concat()), INVALID);
    }
}

#[test]
fn bls_refuses_other_lengths() {
    for (number, len) in [(0x0b, 256), (0x0c, 160), (0x0d, 512), (0x0e, 288), (0x0f, 384), (0x10, 64), (0x11, 128)] {
        assert!(run(number, &vec![0; len]).is_ok());
        for bad in [0, 1, len - 1, len + 1] {
            assert_eq!(run(number, &vec![0; bad]), INVALID, "{number:#x} with {bad} bytes");
        }
        let repeats = [0x0c, 0x0e, 0x0f].contains(&number);
        assert_eq!(run(number, &vec![0; 2 * len]).is_ok(), repeats, "{number:#x}");
    }
}

#[test]
fn bls_pairs() {
    let (pair, inverse) = ([g1(), g2()].concat(), [minus_g1(), g2()].concat());
    assert_eq!(output(0x0f, &pair), word(0));
    assert_eq!(output(0x0f, &[0; 384]), word(1));
    assert_eq!(output(0x0f, &[&pair[..], &inverse].concat()), word(1));
    assert_eq!(output(0x0f, &[&pair[..], &[0; 384], &inverse].concat()), word(1));
}

#[test]
fn bls_maps_elements_into_the_subgroups() {
    for number in [0, 1, 2, 0xff] {
        let point = output(0x10, &small(number));
        assert_eq!(output(0x0c, &[&point[..], &word(1)].concat()), point);
        let point = output(0x11, &[small(number), small(1)].concat());
        assert_eq!(output(0x0e, &[&point[..], &word(1)].concat()), point);
    }
    assert_eq!(run(0x10, &element(PRIME)), INVALID);
    assert_eq!(run(0x11, &[small(1), element(PRIME)].concat()), INVALID);
    assert_eq!(run(0x11, &[element([0xff; 48]), small(1)].concat()), INVALID);
}
