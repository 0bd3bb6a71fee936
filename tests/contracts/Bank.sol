// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// The chain's built-in contract between accounts and coins.
interface Gateway {
    function withdraw(bytes calldata lock) external payable;
}

/// Keeps money, and pays it out as coins.
contract Bank {
    Gateway private constant GATEWAY = Gateway(address(0xc0));

    mapping(address => uint256) public balanceOf;

    event Paid(address indexed from, uint256 amount);

    error Refused(string what);

    receive() external payable {
        balanceOf[msg.sender] += msg.value;
        emit Paid(msg.sender, msg.value);
    }

    /// Pays out as a coin under a lock.
    function withdraw(bytes calldata lock, uint256 amount) public {
        balanceOf[msg.sender] -= amount;
        GATEWAY.withdraw{value: amount}(lock);
    }

    /// Pays out a coin for each lock.
    function withdrawAll(bytes[] calldata locks, uint256 each) external {
        for (uint256 i = 0; i < locks.length; i++) {
            withdraw(locks[i], each);
        }
    }

    /// Pays out in a frame that reverts, survives that, and then pays out half.
    function changeOfMind(bytes calldata lock, uint256 amount) external {
        try this.payAndRevert(lock, amount) {
            revert Refused("it should have reverted");
        } catch {
            withdraw(lock, amount / 2);
        }
    }

    function payAndRevert(bytes calldata lock, uint256 amount) external {
        GATEWAY.withdraw{value: amount}(lock);
        revert Refused("changed my mind");
    }

    /// By DELEGATECALL nothing may be paid out.
    function delegated(bytes calldata lock) external returns (bool succeeded) {
        (succeeded,) = address(GATEWAY).delegatecall(abi.encodeCall(Gateway.withdraw, (lock)));
    }
}
