"""The kinds of vendor and what each must be able to do: the ports' own methods, by name.

What an operation is asked and what it answers is read off the port's signature.
"""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal, get_type_hints

import msgspec

from sdt.adapters.vendor.canonical import shape
from sdt.ports.ach_files import AchFileApi
from sdt.ports.aml import Aml
from sdt.ports.bank import Bank
from sdt.ports.depository import Depository
from sdt.ports.kyc import Kyc, KycBusiness, KycPerson

__all__ = ["KINDS", "Kind", "Operation", "operations"]

Kind = Literal["kyc", "aml", "ach", "ach_files", "treasury", "depository"]

KINDS: Final[dict[Kind, tuple[Any, tuple[str, ...]]]] = {
    "kyc": (Kyc, ("apply", "apply_business", "retry", "retry_business", "submit", "application")),
    "aml": (Aml, ("screen", "screening", "sanctions_list")),
    "ach": (Bank, ("originate", "ach_entry")),
    "ach_files": (AchFileApi, ("put_file", "file_state", "inbound_files", "inbound_file")),
    "treasury": (Bank, ("book_transfer", "transfer", "currency_deposit", "statement", "calendar")),
    "depository": (
        Depository,
        (
            *("take_in", "bar", "inventory", "holding_statement", "statement"),
            *("lock", "pick", "hand_over", "cancel", "redemption"),
        ),
    ),
}
"""Kind -> (its port, its operations: methods of the port). The bank's port is served by two kinds."""

_VARIANTS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "apply": ("apply", {"party": KycPerson}),
    "apply_business": ("apply", {"party": KycBusiness}),
    "retry": ("retry", {"party": KycPerson}),
    "retry_business": ("retry", {"party": KycBusiness}),
}
"""Operations that are one method of the port for two kinds of party: name -> (method, what it is given)."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing a vendor does. An order changes something there, so it carries a key; the rest only looks.

    Shape: `request` and `answer` are what msgspec reads; `answers` is the port's own type.
    """

    name: str
    order: bool
    parameters: tuple[str, ...]
    request: Any
    answer: Any
    answers: Any

    def request_schema(self) -> dict[str, Any]:
        """Our request as JSON Schema."""
        return msgspec.json.schema(self.request)

    def answer_schema(self) -> dict[str, Any]:
        """Our answer as JSON Schema."""
        return msgspec.json.schema(self.answer)


@cache
def operations(kind: Kind) -> dict[str, Operation]:
    """Return the operations of a kind by name."""
    port, names = KINDS[kind]
    return {name: _operation(port, name) for name in names}


def _operation(port: Any, name: str) -> Operation:
    method_name, given = _VARIANTS.get(name, (name, {}))
    method = getattr(port, method_name)
    hints = get_type_hints(method, vars(sys.modules[port.__module__]), include_extras=True) | given
    parameters = tuple(one for one in inspect.signature(method).parameters if one not in ("self", "key"))
    request = msgspec.defstruct(
        f"{name}_request", [(one, shape(hints[one])) for one in parameters], frozen=True, forbid_unknown_fields=True
    )
    return Operation(name, "key" in hints, parameters, request, shape(hints["return"]), hints["return"])
