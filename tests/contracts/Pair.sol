// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";

/// Two tokens that are traded along x * y = k with a fee of 0.3 %. Whoever calls pays the tokens in beforehand.
contract Pair is ERC20, ReentrancyGuard {
    using SafeERC20 for IERC20;

    IERC20 public immutable token0;
    IERC20 public immutable token1;
    uint112 private reserve0;
    uint112 private reserve1;
    uint32 private updated;

    /// Shares that nobody owns, so that a share never becomes dear.
    uint256 public constant LOCKED = 1000;

    event Mint(address indexed sender, uint256 amount0, uint256 amount1);
    event Burn(address indexed sender, uint256 amount0, uint256 amount1, address indexed to);
    event Swap(address indexed sender, uint256 in0, uint256 in1, uint256 out0, uint256 out1, address indexed to);
    event Sync(uint112 reserve0, uint112 reserve1);

    error TooLittle();
    error NotEnough(uint256 reserve0, uint256 reserve1);
    error ProductShrinks(uint256 before, uint256 afterwards);

    constructor(IERC20 first, IERC20 second) ERC20("Shares", "SHR") {
        (token0, token1) = (first, second);
    }

    function getReserves() external view returns (uint112 amount0, uint112 amount1, uint32 time) {
        return (reserve0, reserve1, updated);
    }

    function mint(address to) external nonReentrant returns (uint256 shares) {
        (uint256 balance0, uint256 balance1) = balances();
        (uint256 amount0, uint256 amount1) = (balance0 - reserve0, balance1 - reserve1);
        uint256 supply = totalSupply();
        if (supply == 0) {
            shares = Math.sqrt(amount0 * amount1) - LOCKED;
            _mint(address(0xdead), LOCKED);
        } else {
            shares = Math.min(amount0 * supply / reserve0, amount1 * supply / reserve1);
        }
        if (shares == 0) revert TooLittle();
        _mint(to, shares);
        sync(balance0, balance1);
        emit Mint(msg.sender, amount0, amount1);
    }

    function burn(address to) external nonReentrant returns (uint256 amount0, uint256 amount1) {
        (uint256 balance0, uint256 balance1) = balances();
        uint256 shares = balanceOf(address(this));
        amount0 = shares * balance0 / totalSupply();
        amount1 = shares * balance1 / totalSupply();
        if (amount0 == 0 || amount1 == 0) revert TooLittle();
        _burn(address(this), shares);
        token0.safeTransfer(to, amount0);
        token1.safeTransfer(to, amount1);
        (balance0, balance1) = balances();
        sync(balance0, balance1);
        emit Burn(msg.sender, amount0, amount1, to);
    }

    function swap(uint256 out0, uint256 out1, address to) external nonReentrant {
        if (out0 == 0 && out1 == 0) revert TooLittle();
        if (out0 >= reserve0 || out1 >= reserve1) revert NotEnough(reserve0, reserve1);
        if (out0 > 0) token0.safeTransfer(to, out0);
        if (out1 > 0) token1.safeTransfer(to, out1);
        (uint256 balance0, uint256 balance1) = balances();
        uint256 in0 = balance0 > reserve0 - out0 ? balance0 - (reserve0 - out0) : 0;
        uint256 in1 = balance1 > reserve1 - out1 ? balance1 - (reserve1 - out1) : 0;
        uint256 afterwards = (balance0 * 1000 - in0 * 3) * (balance1 * 1000 - in1 * 3);
        uint256 before = uint256(reserve0) * reserve1 * 1e6;
        if (afterwards < before) revert ProductShrinks(before, afterwards);
        sync(balance0, balance1);
        emit Swap(msg.sender, in0, in1, out0, out1, to);
    }

    function balances() private view returns (uint256, uint256) {
        return (token0.balanceOf(address(this)), token1.balanceOf(address(this)));
    }

    function sync(uint256 balance0, uint256 balance1) private {
        require(balance0 <= type(uint112).max && balance1 <= type(uint112).max, "too much");
        (reserve0, reserve1, updated) = (uint112(balance0), uint112(balance1), uint32(block.timestamp));
        emit Sync(reserve0, reserve1);
    }
}
