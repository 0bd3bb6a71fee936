"""web3.py 8."""

import asyncio
import json
import os
from concurrent.futures import ThreadPoolExecutor

from eth_account import Account
from eth_account.messages import encode_defunct
from web3 import AsyncWeb3, Web3, WebSocketProvider
from web3.exceptions import (
    BlockNotFound,
    ContractCustomError,
    ContractLogicError,
    ContractPanicError,
    TransactionNotFound,
    Web3RPCError,
)

URL = os.environ["CLIENT_URL"]
CAIRN = os.environ["CLIENT_KIND"] != "anvil"
KEYS = [
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
]
THIRD = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
COUNTS = {"ok": 0, "FAIL": 0}

w3 = Web3(Web3.HTTPProvider(URL))
w3.eth.default_account = w3.eth.account.from_key(KEYS[0]).address
account, other = Account.from_key(KEYS[0]), Account.from_key(KEYS[1])
with open(os.environ["CLIENT_CONTRACTS"]) as file:
    CONTRACTS = json.load(file)["contracts"]


def task(what):
    """Runs a function at once and prints how it went; its name then holds its result."""

    def run(action):
        try:
            result = action()
            line, outcome = f"ok web3.py {what}", "ok"
        except Exception as error:  # Whatever a client raises is the task's failure.
            text = " ".join(f"{type(error).__name__}: {error}".split())[:400]
            result, line, outcome = None, f"FAIL web3.py {what}: {text}", "FAIL"
        COUNTS[outcome] += 1
        print(line, flush=True)
        return result

    return run


def equal(got, expected):
    assert got == expected, f"expected {expected!r}, got {got!r}"


def raises(kind, action):
    try:
        result = action()
    except kind as error:
        return error
    raise AssertionError(f"expected {kind.__name__}, got {result!r}")


def send(transaction, signer=account):
    filled = {
        "from": signer.address,
        "nonce": w3.eth.get_transaction_count(signer.address),
        "chainId": w3.eth.chain_id,
        **transaction,
    }
    if "gas" not in filled:
        filled["gas"] = w3.eth.estimate_gas(filled)
    if "gasPrice" not in filled and "maxFeePerGas" not in filled:
        filled["maxPriorityFeePerGas"] = w3.eth.max_priority_fee
        filled["maxFeePerGas"] = w3.eth.get_block("latest")["baseFeePerGas"] * 2 + filled["maxPriorityFeePerGas"]
    signed = signer.sign_transaction({key: value for key, value in filled.items() if key != "from"})
    return w3.eth.wait_for_transaction_receipt(
        w3.eth.send_raw_transaction(signed.raw_transaction), timeout=10, poll_latency=0.05
    )


def deploy(name, *arguments):
    found = CONTRACTS[f"{name}.sol"][name]
    factory = w3.eth.contract(abi=found["abi"], bytecode=found["evm"]["bytecode"]["object"])
    data = factory.constructor(*arguments).data_in_transaction
    return w3.eth.contract(address=send({"data": data, "value": 0})["contractAddress"], abi=found["abi"])


def mine(blocks=1):
    w3.provider.make_request("dev_mine" if CAIRN else "anvil_mine", [blocks])


def rpc(method, *parameters):
    answer = w3.provider.make_request(method, list(parameters))
    assert "error" not in answer, answer["error"]
    return answer["result"]


def reading():
    task("connected")(lambda: equal(w3.is_connected(), True))
    task("chain id")(lambda: equal(str(w3.eth.chain_id), w3.net.version))
    task("listening")(lambda: equal(w3.net.listening, True))
    task("client version")(lambda: equal("/" in w3.client_version, True))
    task("accounts")(lambda: equal(w3.eth.accounts[0], account.address))
    task("balance")(lambda: equal(w3.eth.get_balance(account.address) > 10**18, True))
    task("gas price")(lambda: equal(w3.eth.gas_price > 0, True))
    task("blob base fee")(lambda: equal(w3.eth.blob_base_fee >= 0, True))
    task("fee history")(lambda: equal(len(w3.eth.fee_history(1, "latest", [50])["reward"]), 1))
    task("syncing")(lambda: equal(w3.eth.syncing, False))
    task("blocks")(lambda: [w3.eth.get_block(tag) for tag in ("earliest", "finalized", "safe", "latest", "pending")])
    task("BlockNotFound")(lambda: raises(BlockNotFound, lambda: w3.eth.get_block(1_000_000)))
    task("TransactionNotFound")(lambda: raises(TransactionNotFound, lambda: w3.eth.get_transaction("0x" + "00" * 32)))


def sending():
    to = Account.create().address
    price = w3.eth.gas_price * 2
    entry = {"address": to, "storageKeys": ["0x" + "00" * 32]}
    for what, extra in (
        ("legacy", {"gasPrice": price}),
        ("access list", {"gasPrice": price, "type": 1, "accessList": [entry]}),
        ("1559", {"type": 2}),
    ):
        task(f"send {what}")(lambda extra=extra: equal(send({"to": to, "value": 1000, **extra})["status"], 1))
    task("balance at a block")(lambda: equal(w3.eth.get_balance(to, w3.eth.block_number - 1), 2000))
    task("account of the node")(
        lambda: equal(
            w3.eth.wait_for_transaction_receipt(w3.eth.send_transaction({"from": THIRD, "to": to, "value": 1}))[
                "status"
            ],
            1,
        )
    )
    task("sign by the node")(
        lambda: equal(
            Account.recover_message(encode_defunct(text="hi"), signature=w3.eth.sign(THIRD, text="hi")), THIRD
        )
    )
    task("raw transaction")(
        lambda: equal(
            w3.keccak(w3.eth.get_raw_transaction_by_block("latest", 0)),
            w3.eth.get_transaction_by_block("latest", 0)["hash"],
        )
    )
    task("block receipts")(lambda: equal(len(w3.eth.get_block_receipts("latest")), 1))


def contracts():
    token = task("deploy")(lambda: deploy("Token", "Stone", "STN", 10**24))
    probe = deploy("Probe")
    task("call")(lambda: equal(token.functions.balanceOf(account.address).call(), 10**24))
    task("call at a block")(
        lambda: equal(token.functions.totalSupply().call(block_identifier=w3.eth.block_number), 10**24)
    )
    task("call with structs")(lambda: equal(probe.functions.echo([(-5, [1, 2], "here")], True).call()[1], False))
    task("estimate")(
        lambda: equal(token.functions.transfer(THIRD, 1).estimate_gas({"from": account.address}) > 21_000, True)
    )
    task("storage")(lambda: equal(int(w3.eth.get_storage_at(token.address, 2).hex(), 16), 10**24))
    task("proof")(
        lambda: equal(int(w3.eth.get_proof(token.address, [2], "latest")["storageProof"][0]["value"].hex(), 16), 10**24)
    )

    def build():
        built = token.functions.transfer(THIRD, 7).build_transaction(
            {"from": account.address, "nonce": w3.eth.get_transaction_count(account.address)}
        )
        signed = account.sign_transaction(built)
        return w3.eth.wait_for_transaction_receipt(w3.eth.send_raw_transaction(signed.raw_transaction))

    receipt = task("build_transaction")(build)
    task("events of a receipt")(lambda: equal(token.events.Transfer().process_receipt(receipt)[0]["args"]["value"], 7))
    task("get_logs")(
        lambda: equal(len(token.events.Transfer().get_logs(from_block=0, argument_filters={"to": THIRD})), 1)
    )
    task("eth.get_logs")(lambda: equal(len(w3.eth.get_logs({"address": token.address, "fromBlock": 0})), 2))
    task("send 7702")(lambda: delegate(probe))
    task("state override")(
        lambda: equal(
            token.functions.totalSupply().call(
                state_override={token.address: {"stateDiff": {"0x" + "2".zfill(64): "0x" + "9".zfill(64)}}}
            ),
            9,
        )
    )
    call = {"from": account.address, "to": token.address, "data": token.encode_abi("transfer", [THIRD, 1])}
    task("create_access_list")(lambda: equal(len(w3.eth.create_access_list(call)["accessList"]), 1))
    task("simulate_v1")(
        lambda: equal(
            w3.eth.simulate_v1({"blockStateCalls": [{"calls": [call]}]}, "latest")[0]["calls"][0]["status"], 1
        )
    )
    task("trace_transaction of debug")(
        lambda: equal(
            rpc("debug_traceTransaction", receipt["transactionHash"].to_0x_hex(), {"tracer": "callTracer"})["type"],
            "CALL",
        )
    )
    return token, probe


def delegate(probe):
    authorization = other.sign_authorization(
        {"chainId": w3.eth.chain_id, "address": probe.address, "nonce": w3.eth.get_transaction_count(other.address)}
    )
    receipt = send(
        {
            "to": other.address,
            "data": probe.encode_abi("work", [1]),
            "type": 4,
            "authorizationList": [authorization],
            "gas": 200_000,
        }
    )
    equal(receipt["status"], 1)
    equal(w3.eth.get_code(other.address).hex(), "ef0100" + probe.address[2:].lower())


def filters(token):
    def events():
        made = token.events.Transfer.create_filter(from_block="latest", argument_filters={"to": THIRD})
        send({"to": token.address, "data": token.encode_abi("transfer", [THIRD, 8])})
        equal([entry["args"]["value"] for entry in made.get_new_entries()][-1:], [8])
        assert len(made.get_all_entries()) >= 1
        equal(w3.eth.uninstall_filter(made.filter_id), True)

    def blocks():
        made = w3.eth.filter("latest")
        mine(2)
        equal(len(made.get_new_entries()), 2)

    def pending():
        made = w3.eth.filter("pending")
        receipt = send({"to": THIRD, "value": 1})
        equal(receipt["transactionHash"] in made.get_new_entries(), True)

    task("filter of events")(events)
    task("filter of blocks")(blocks)
    task("filter of pending transactions")(pending)


def refusals(token, probe):
    error = task("ContractLogicError")(lambda: raises(ContractLogicError, probe.functions.failWith("too late").call))
    task("its reason")(lambda: equal("too late" in str(error), True))
    task("ContractCustomError")(
        lambda: raises(ContractCustomError, probe.functions.failCustom(3, (-5, [1, 2], "here")).call)
    )
    task("ContractPanicError")(lambda: raises(ContractPanicError, probe.functions.divide(1, 0).call))
    poor = Account.create()
    fixed = {"to": THIRD, "value": 1, "gas": 21_000, "gasPrice": w3.eth.gas_price * 2}
    task("insufficient funds")(
        lambda: equal("insufficient funds" in str(raises(Web3RPCError, lambda: send(fixed, poor))).lower(), True)
    )
    task("nonce too low")(
        lambda: equal("nonce too low" in str(raises(Web3RPCError, lambda: send({**fixed, "nonce": 0}))).lower(), True)
    )


def many():
    def batch():
        with w3.batch_requests() as requests:
            for _ in range(50):
                requests.add(w3.eth.get_balance(account.address))
            equal(len(requests.execute()), 50)

    def threads():
        with ThreadPoolExecutor(50) as pool:
            equal(len(list(pool.map(lambda _: w3.eth.get_balance(account.address), range(300)))), 300)

    task("batch")(batch)
    task("300 reads of 50 threads")(threads)


async def subscriptions(token):
    async with AsyncWeb3(WebSocketProvider(URL.replace("http", "ws"))) as socket:
        kinds = [("newHeads",), ("newPendingTransactions",), ("logs", {"address": token.address})]
        ids = [await socket.eth.subscribe(*kind) for kind in kinds]
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(
            None, lambda: send({"to": token.address, "data": token.encode_abi("transfer", [THIRD, 9])})
        )
        heard = set()
        async with asyncio.timeout(8):
            async for message in socket.socket.process_subscriptions():
                heard.add(message["subscription"])
                if heard == set(ids):
                    break
        for one in ids:
            assert await socket.eth.unsubscribe(one)


reading()
sending()
TOKEN, PROBE = contracts()
filters(TOKEN)
refusals(TOKEN, PROBE)
many()
task("ws subscriptions")(lambda: asyncio.run(subscriptions(TOKEN)))
print(f"web3.py: {COUNTS['ok']} passed, {COUNTS['FAIL']} failed")
raise SystemExit(COUNTS["FAIL"] > 0)
