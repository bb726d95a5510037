"""Running chain transactions and calls on py-evm's Berlin rules.

py-evm's own chain classes execute a transaction twice and persist after each; here a block's transactions run once
over one `BlockState`, which is closed when the block is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from eth.abc import ComputationAPI
from eth.exceptions import InvalidInstruction, InvalidJumpDestination, OutOfGas, Revert, VMError
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.berlin.state import BerlinState, BerlinTransactionExecutor

from sdt.adapters.chain.embedded.computation import Computation
from sdt.adapters.chain.embedded.state import BlockState
from sdt.adapters.chain.embedded.store import Log
from sdt.adapters.chain.embedded.transaction import Transaction
from sdt.adapters.chain.embedded.view import StateView

__all__ = ["COINBASE", "Evm", "Outcome"]

COINBASE = bytes(20)
_ZERO_HASH = bytes(32)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What running one transaction gave; `error` is None when it succeeded."""

    gas_used: int
    gas_refunded: int
    output: bytes
    error: VMError | None
    logs: tuple[Log, ...]
    created: bytes


class _Executor(BerlinTransactionExecutor):  # type: ignore[misc]
    """Berlin's executor; nonce, funds and gas are checked by the pool and the block builder."""

    def validate_transaction(self, transaction: Transaction) -> None:
        """Nothing is left to check."""


class _State(BerlinState):  # type: ignore[misc]
    account_db_class = BlockState
    computation_class = Computation
    transaction_executor_class = _Executor


class Evm:
    """One block's execution, or one call's."""

    def __init__(
        self,
        view: StateView,
        *,
        number: int,
        timestamp: int,
        gas_limit: int,
        chain_id: int,
        ancestors: Iterable[bytes],
    ) -> None:
        context = ExecutionContext(
            coinbase=COINBASE,
            timestamp=timestamp,
            block_number=number,
            difficulty=1,
            mix_hash=_ZERO_HASH,
            gas_limit=gas_limit,
            prev_hashes=ancestors,
            chain_id=chain_id,
        )
        self._state = _State(view, context, view.root)
        self.accounts: BlockState = self._state._account_db

    def run(self, transaction: Transaction) -> Outcome:
        """Execute one transaction and keep what it changed."""
        self.accounts.lock_changes()
        computation: ComputationAPI = self._state.apply_transaction(transaction)
        used = transaction.gas - computation.get_gas_remaining()
        refund = min(computation.get_gas_refund(), used // 2)
        error = computation.error if computation.is_error else None
        return Outcome(
            gas_used=used - refund,
            gas_refunded=refund,
            output=computation.output,
            error=error,
            logs=tuple(
                Log(address, tuple(topic.to_bytes(32, "big") for topic in topics), data)
                for address, topics, data in computation.get_log_entries()
            ),
            created=b"" if transaction.to else computation.msg.storage_address,
        )


def failure_message(error: VMError) -> str:
    """Return geth's words for what stopped the execution."""
    if isinstance(error, Revert):
        return "execution reverted"
    if isinstance(error, OutOfGas):
        return "out of gas"
    if isinstance(error, InvalidJumpDestination):
        return "invalid jump destination"
    if isinstance(error, InvalidInstruction):
        return "invalid opcode"
    return f"vm error: {type(error).__name__}"
