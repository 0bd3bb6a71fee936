// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";

/// Counts, behind a proxy that its owner upgrades.
contract Counter is Initializable, UUPSUpgradeable {
    address public owner;
    uint256 public count;

    error NotOwner(address caller);

    constructor() {
        _disableInitializers();
    }

    function initialize(address first, uint256 start) external initializer {
        owner = first;
        count = start;
    }

    function increase() external virtual {
        count += 1;
    }

    function version() external pure virtual returns (string memory) {
        return "one";
    }

    function _authorizeUpgrade(address) internal view override {
        if (msg.sender != owner) revert NotOwner(msg.sender);
    }
}

/// Counts by two from where the first stopped.
contract CounterByTwo is Counter {
    function increase() external override {
        count += 2;
    }

    function version() external pure override returns (string memory) {
        return "two";
    }
}

/// The proxy itself, so that it is compiled.
contract CounterProxy is ERC1967Proxy {
    constructor(address implementation, bytes memory data) payable ERC1967Proxy(implementation, data) {}
}
