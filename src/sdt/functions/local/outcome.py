"""What can become of an invocation, as the Lambda service tells whoever invoked."""

from __future__ import annotations

from sdt.domain.errors import SdtError, Unavailable

__all__ = ["FunctionDied", "FunctionError", "InitFailed", "PayloadTooLarge", "TimedOut"]


class FunctionError(SdtError):
    """The handler raised. `facts` has the error's type as the runtime told it."""

    code = "function_error"


class InitFailed(Unavailable):
    """The process ended before it could take an invocation."""

    code = "function_init"


class FunctionDied(Unavailable):
    """The process ended in the middle of an invocation."""

    code = "function_died"


class TimedOut(Unavailable):
    """The invocation took longer than the function may, and its process was ended."""

    code = "function_timeout"


class PayloadTooLarge(SdtError):
    """An event or an answer is larger than the service passes on."""

    code = "function_payload"
