"""What JSON-RPC answers instead of a result, with geth's codes and words, since clients match on them."""

from __future__ import annotations

__all__ = ["RpcError", "invalid_params", "server_error"]


class RpcError(Exception):
    """An error object of a JSON-RPC answer. Source: JSON-RPC 2.0, section 5.1; geth rpc/errors.go."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def as_object(self) -> dict[str, object]:
        found: dict[str, object] = {"code": self.code, "message": self.message}
        if self.data is not None:
            found["data"] = self.data
        return found


def server_error(message: str) -> RpcError:
    """Return the error that geth gives for whatever the chain refuses."""
    return RpcError(-32000, message)


def invalid_params(message: str) -> RpcError:
    """Return the error for parameters that cannot be read."""
    return RpcError(-32602, message)
