"""What comes back: returns, dishonored and contested ones, notifications of change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sdt.domain.nacha.addenda import Addenda98, Addenda99, ContestedReturn, DishonoredReturn
from sdt.domain.nacha.file import NachaFile
from sdt.domain.nacha.records import is_credit

__all__ = ["Change", "Inbound", "Return", "read_inbound"]

ReturnKind = Literal["return", "dishonored", "contested"]


@dataclass(frozen=True, slots=True)
class Return:
    """One entry that was sent back. `original_trace` is the trace number that we gave it; `trace_number` is the
    returning bank's own, by which a return that is delivered twice is known. Units: cents.
    """

    kind: ReturnKind
    code: str
    original_trace: str
    original_rdfi: str
    trace_number: str
    cents: int
    was_credit: bool
    information: str
    died_on: str
    """YYMMDD for R14 and R15, else empty."""

    @property
    def key(self) -> str:
        """What is the same however often the file arrives."""
        return f"{self.code}:{self.original_trace}:{self.trace_number}"


@dataclass(frozen=True, slots=True)
class Change:
    """A notification of change: what the other bank says the account's data are."""

    code: str
    original_trace: str
    original_rdfi: str
    corrected: str
    trace_number: str

    @property
    def key(self) -> str:
        """What is the same however often the file arrives."""
        return f"{self.code}:{self.original_trace}:{self.trace_number}"


@dataclass(frozen=True, slots=True)
class Inbound:
    """What a file brings."""

    returns: tuple[Return, ...]
    changes: tuple[Change, ...]


def read_inbound(file: NachaFile) -> Inbound:
    """Return the returns and changes in a file, in their order; payments in it are nobody's business here."""
    returns: list[Return] = []
    changes: list[Change] = []
    for batch in file.batches:
        for entry in batch.entries:
            cents, credit = entry.detail.cents, is_credit(entry.detail.transaction_code)
            for addenda in entry.addenda:
                if isinstance(addenda, Addenda98):
                    changes.append(_change(addenda))
                elif isinstance(addenda, Addenda99 | DishonoredReturn | ContestedReturn):
                    returns.append(_return(addenda, cents, credit))
    return Inbound(tuple(returns), tuple(changes))


def _return(addenda: Addenda99 | DishonoredReturn | ContestedReturn, cents: int, credit: bool) -> Return:
    kinds: dict[type, ReturnKind] = {DishonoredReturn: "dishonored", ContestedReturn: "contested"}
    return Return(
        kind=kinds.get(type(addenda), "return"),
        code=addenda.return_code,
        original_trace=addenda.original_trace,
        original_rdfi=addenda.original_rdfi,
        trace_number=addenda.trace_number,
        cents=cents,
        was_credit=credit,
        information="" if isinstance(addenda, ContestedReturn) else addenda.information,
        died_on=addenda.died_on.strip() if isinstance(addenda, Addenda99) else "",
    )


def _change(addenda: Addenda98) -> Change:
    return Change(
        addenda.change_code,
        addenda.original_trace,
        addenda.original_rdfi,
        addenda.corrected,
        addenda.trace_number,
    )
