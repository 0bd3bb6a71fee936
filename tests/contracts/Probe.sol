// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// Fails in every way, and tells what it sees of the chain.
contract Probe {
    struct Point {
        int256 x;
        uint8[2] y;
        string name;
    }

    uint256[] private numbers;
    uint256 public spins;

    event Said(string indexed topic, Point point, bytes data);

    error Wrong(uint256 code, Point point);

    function say(string calldata topic, Point calldata point, bytes calldata data) external {
        emit Said(topic, point, data);
    }

    function echo(Point[] calldata points, bool flag) external pure returns (Point[] memory, bool flipped) {
        return (points, !flag);
    }

    function failWith(string calldata text) external pure {
        revert(text);
    }

    function failCustom(uint256 code, Point calldata point) external pure {
        revert Wrong(code, point);
    }

    function failSilently() external pure {
        assembly {
            revert(0, 0)
        }
    }

    function divide(uint256 a, uint256 b) external pure returns (uint256) {
        return a / b;
    }

    function subtract(uint8 a, uint8 b) external pure returns (uint8) {
        return a - b;
    }

    function item(uint256 index) external view returns (uint256) {
        return numbers[index];
    }

    /// Runs until the gas is used up.
    function spin() external {
        while (true) {
            spins++;
        }
    }

    /// Runs so many times.
    function work(uint256 rounds) external returns (bytes32 digest) {
        for (uint256 i = 0; i < rounds; i++) {
            digest = keccak256(abi.encode(digest, i));
            numbers.push(uint256(digest));
        }
    }

    function chain() external view returns (uint256 id, uint256 number, uint256 time, uint256 limit, address miner) {
        return (block.chainid, block.number, block.timestamp, block.gaslimit, block.coinbase);
    }

    function fees() external view returns (uint256 base, uint256 price, uint256 randao, bytes32 parent) {
        return (block.basefee, tx.gasprice, block.prevrandao, blockhash(block.number - 1));
    }
}
