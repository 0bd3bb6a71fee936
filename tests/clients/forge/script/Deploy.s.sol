// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Safe} from "../src/Safe.sol";
import {WithVm} from "../src/Vm.sol";

/// Deploys and calls in several transactions.
contract Deploy is WithVm {
    function run() external returns (Safe safe) {
        vm.startBroadcast();
        safe = new Safe(5);
        safe.set(6);
        payable(address(0xabcdef)).transfer(1000);
        vm.stopBroadcast();
        require(safe.number() == 6, "not set");
    }
}

/// Deploys at an address that the salt decides, through the factory that stands at the same address on each chain.
contract DeployWithSalt is WithVm {
    function run() external returns (Safe safe) {
        vm.startBroadcast();
        safe = new Safe{salt: bytes32(uint256(0x5a17))}(7);
        vm.stopBroadcast();
    }
}

/// Writes to what stands on the chain already.
contract Change is WithVm {
    function run(address safe, uint256 next) external {
        vm.startBroadcast();
        Safe(safe).set(next);
        vm.stopBroadcast();
    }
}
