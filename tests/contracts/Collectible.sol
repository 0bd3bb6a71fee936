// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

/// An ERC-721 that its owner mints.
contract Collectible is ERC721, Ownable {
    uint256 public minted;

    constructor() ERC721("Stones", "STN") Ownable(msg.sender) {}

    function mint(address to) external onlyOwner returns (uint256 id) {
        id = ++minted;
        _safeMint(to, id);
    }
}

/// Takes what is sent to it and counts it.
contract Shelf is IERC721Receiver {
    uint256 public count;

    function onERC721Received(address, address, uint256, bytes calldata) external returns (bytes4) {
        count++;
        return IERC721Receiver.onERC721Received.selector;
    }
}
