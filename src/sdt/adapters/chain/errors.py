"""What can go wrong between the platform and a chain node."""

from __future__ import annotations

from sdt.domain.errors import Unavailable, Unprocessable

__all__ = ["AnswerTooLong", "BlockMissing", "CallReverted", "ChainRefused", "ChainUnavailable"]


class ChainUnavailable(Unavailable):
    """No node answered in time, or what it answered cannot be read."""

    code = "chain_unavailable"


class AnswerTooLong(ChainUnavailable):
    """A node answered with more than is read of any node: what was asked must be asked in parts."""

    code = "chain_answer_too_long"


class BlockMissing(ChainUnavailable):
    """The node does not have that block: not yet, no longer, or never."""

    code = "chain_block_missing"


class ChainRefused(Unprocessable):
    """A node understood the request and answered with an error object."""

    code = "chain_refused"

    def __init__(self, method: str, rpc_code: int, message: str, data: str | None = None) -> None:
        super().__init__(f"{method}: {message}", method=method, rpc_code=rpc_code)
        self.rpc_code = rpc_code
        self.message = message
        self.data = data


class CallReverted(ChainRefused):
    """A contract refused a call; `data` is what it returned."""

    code = "chain_call_reverted"
