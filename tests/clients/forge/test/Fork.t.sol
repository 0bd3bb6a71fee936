// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Safe} from "../src/Safe.sol";
import {Vm, WithVm} from "../src/Vm.sol";

/// Tests on the state of a node. The environment names a contract there and the block before its last change.
contract ForkTest is WithVm {
    string private url = vm.envString("CLIENT_URL");
    Safe private safe = Safe(vm.envAddress("SAFE"));
    uint256 private before = vm.envUint("BEFORE");

    function test_reads_state() external {
        vm.createSelectFork(url);
        require(safe.number() == 9, "wrong number");
        require(block.number == before + 1, "wrong block");
    }

    function test_reads_old_state() external {
        vm.createSelectFork(url, before);
        require(safe.number() == 6, "wrong number");
    }

    function test_rolls_the_fork() external {
        vm.createSelectFork(url, before);
        vm.rollFork(before + 1);
        require(safe.number() == 9, "wrong number");
    }

    function test_forks_before_a_transaction() external {
        vm.createSelectFork(url, vm.envBytes32("CHANGE"));
        require(safe.number() == 6, "wrong number");
    }

    function test_writes_on_the_fork() external {
        vm.createSelectFork(url);
        safe.set(100);
        require(safe.number() == 100, "not written");
    }

    function test_pranks_on_the_fork() external {
        vm.createSelectFork(url);
        address owner = safe.owner();
        vm.expectRevert(abi.encodeWithSelector(Safe.NotOwner.selector, address(this)));
        safe.close();
        vm.prank(owner);
        safe.close();
        require(safe.number() == 0, "not closed");
    }

    function test_deals_on_the_fork() external {
        vm.createSelectFork(url);
        vm.deal(address(0x1234), 5 ether);
        require(address(0x1234).balance == 5 ether, "no money");
    }

    function test_calls_the_node() external {
        vm.createSelectFork(url);
        bytes memory found = vm.rpc("eth_getBalance", '["0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "latest"]');
        require(found.length > 0, "no balance");
    }

    function test_reads_logs() external {
        vm.createSelectFork(url);
        bytes32[] memory topics = new bytes32[](1);
        topics[0] = Safe.Changed.selector;
        Vm.EthGetLogs[] memory found = vm.eth_getLogs(0, block.number, address(safe), topics);
        require(found.length == 2 && abi.decode(found[1].data, (uint256)) == 9, "wrong logs");
    }

    function test_hash_of_the_block_before() external {
        vm.createSelectFork(url);
        require(blockhash(block.number - 1) != bytes32(0), "no hash");
    }
}
