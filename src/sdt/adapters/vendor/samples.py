"""Sample messages of ours for each kind, in the order in which a vendor could be tried with them.

Nobody in them exists. What an earlier answer named (an application, a bar) is put into the later requests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sdt.adapters.vendor.kinds import Kind
from sdt.domain.money import USD, Amount
from sdt.ports.aml import Purpose, ScreeningRequest
from sdt.ports.bank import AchDirection, AchOrder, BookTransferOrder, ExternalAccount, SecCode
from sdt.ports.depository import AssayTest, BarIntake, RedemptionOrder
from sdt.ports.kyc import DocumentKind, KycBusiness, KycDocument, KycOwner, KycPerson, PostalAddress

__all__ = ["SAMPLES", "Sample"]

_REFERENCE: Final = "sample-1"
_ACCOUNT: Final = "0x" + "a1" * 20
_PLACE: Final = PostalAddress("1 Sample Street", "Austin", "TX", "78701")
_PERSON: Final = KycPerson(_ACCOUNT, "Ada", "Samplename", date(1990, 2, 3), _PLACE, "7315", "TX")
_BUSINESS: Final = KycBusiness(
    _ACCOUNT, "Samplename Feed LLC", "llc", "4711", "TX", _PLACE, _PERSON, (KycOwner(_PERSON, 600_000),), "TX"
)
_DOCUMENT: Final = KycDocument(DocumentKind.ADDRESS, "holder", "application/pdf", b"%PDF-1.7 a sample, of nobody")
_RECEIVER: Final = ExternalAccount("111000025", "9214857306", "checking", "Ada Samplename")
_BAR: Final = BarIntake(
    vault="TXG",
    serial="SAMPLE-1",
    refiner="Lone Star Refining",
    form="kilobar",
    metal="XAU",
    gross_ng=1_000_000_000_000,
    fineness=9999,
    tests=(
        AssayTest("weight", True, "1000.00 g"),
        AssayTest("ultrasound", True, "3240 m/s"),
        AssayTest("xrf", True, "99.99 % Au"),
    ),
    photo_digest="cd" * 32,
    drop_off=_REFERENCE,
    account=_ACCOUNT,
)

_FILE: Final = {
    "name": "sample-1.ach",
    "sha256": hashlib.sha256(b"sample").hexdigest(),
    "content": b"sample",
}
"""No bank takes such a file, so it is never sent."""

Seen = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """One request of ours: which operation, and its arguments, given what was answered before.

    `sends` is False for what only makes sense when something else happened first, such as a second attempt.
    """

    operation: str
    arguments: Callable[[Seen], dict[str, Any]]
    sends: bool = True


def _order(seen: Seen) -> dict[str, Any]:
    return {"order_id": seen["lock"].order_id}


def _page(name: str, value: str) -> Callable[[Seen], dict[str, Any]]:
    return lambda _: {name: value, "after": 0, "limit": 100}


SAMPLES: Final[dict[Kind, tuple[Sample, ...]]] = {
    "kyc": (
        Sample("apply", lambda _: {"party": _PERSON}),
        Sample("application", lambda seen: {"application_id": seen["apply"].application_id}),
        Sample("apply_business", lambda _: {"party": _BUSINESS}),
        Sample("retry", lambda s: {"application_id": s["apply"].application_id, "party": _PERSON}, sends=False),
        Sample(
            "retry_business",
            lambda s: {"application_id": s["apply_business"].application_id, "party": _BUSINESS},
            sends=False,
        ),
        Sample("submit", lambda s: {"application_id": s["apply"].application_id, "document": _DOCUMENT}, sends=False),
    ),
    "aml": (
        Sample("sanctions_list", lambda _: {}),
        Sample(
            "screen",
            lambda _: {"request": ScreeningRequest("Ada Samplename", _PLACE, Purpose.ONBOARDING, _REFERENCE)},
        ),
        Sample("screening", lambda seen: {"screening_id": seen["screen"].screening_id}),
    ),
    "ach": (
        Sample(
            "originate",
            lambda _: {
                "order": AchOrder(
                    AchDirection.DEBIT, "TXD-clearing", Amount(50_000, USD), _RECEIVER, SecCode.WEB, _REFERENCE
                )
            },
        ),
        Sample("ach_entry", lambda seen: {"entry_id": seen["originate"].entry_id}),
    ),
    "ach_files": (
        Sample("inbound_files", lambda _: {"after": 0}),
        Sample("inbound_file", lambda _: {"name": "returns-sample.ach"}, sends=False),
        Sample("put_file", lambda _: _FILE, sends=False),
        Sample("file_state", lambda _: {"name": _FILE["name"]}, sends=False),
    ),
    "treasury": (
        Sample("calendar", lambda _: {}),
        Sample("statement", _page("account", "TXD-clearing")),
        Sample(
            "book_transfer",
            lambda _: {"order": BookTransferOrder("TXD-clearing", "TXD-reserve", Amount(50_000, USD), _REFERENCE)},
        ),
        Sample("transfer", lambda seen: {"transfer_id": seen["book_transfer"].transfer_id}),
        Sample("currency_deposit", lambda _: {"deposit_id": "sample-1"}, sends=False),
    ),
    "depository": (
        Sample("holding_statement", lambda _: {"vault": "TXG"}),
        Sample("statement", _page("vault", "TXG")),
        Sample("take_in", lambda _: {"intake": _BAR}),
        Sample("bar", lambda seen: {"bar_id": seen["take_in"].bar_id}),
        Sample("inventory", _page("vault", "TXG")),
        Sample(
            "lock",
            lambda seen: {"order": RedemptionOrder("TXG", (seen["take_in"].bar_id,), _ACCOUNT, _REFERENCE)},
        ),
        Sample("redemption", _order),
        Sample("pick", _order, sends=False),
        Sample("hand_over", _order, sends=False),
        Sample("cancel", _order),
    ),
}
"""Kind -> every operation of it, in order."""
