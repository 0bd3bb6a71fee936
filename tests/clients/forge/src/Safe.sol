// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// Keeps a number and says so.
contract Safe {
    uint256 public number;
    address public immutable owner;

    event Changed(address indexed by, uint256 number);

    error NotOwner(address caller);

    constructor(uint256 first) payable {
        number = first;
        owner = msg.sender;
    }

    function set(uint256 next) external {
        number = next;
        emit Changed(msg.sender, next);
    }

    function close() external {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        number = 0;
    }
}
