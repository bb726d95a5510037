"""The screening vendor's second door: a signed request, the request id in the body, strength as a decimal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sdt.sandbox.plains.door import Door, Guard, Json
from sdt.sandbox.plains.guards import HmacGuard, hex_over_lines
from sdt.sandbox.plains.words import address_in, code, day, decimal, ms, table
from sdt.sandbox.service import ApiKeys

__all__ = ["doors"]

_ROOT: Final = "/plains/aml/v1"
_STAGE: Final = {
    "onboarding": "ONBOARD",
    "intake": "MONEY_IN",
    "mint": "ISSUE",
    "burn": "WITHDRAW",
    "payout": "MONEY_OUT",
    "rescreen": "PERIODIC",
}
_VERDICT: Final = {"clear": "NO_HIT", "possible_match": "POTENTIAL", "match": "HIT"}


def doors(keys: ApiKeys) -> tuple[Mapping[str, Guard], list[Door]]:
    """Return guards and doors."""
    return {_ROOT: HmacGuard(keys, hex_over_lines)}, [
        Door(
            "POST",
            f"{_ROOT}/checks",
            "/v1/screenings",
            _check,
            _subject,
            key_field="requestId",
            asked=f"{_ROOT}/requests/{{key}}",
        ),
        Door("GET", f"{_ROOT}/checks/{{screening_id}}", "/v1/screenings/{screening_id}", _check),
        Door("GET", f"{_ROOT}/watchlist", "/v1/list", lambda kept: {"watchlist": _list(kept)}),
    ]


def _subject(message: Json) -> Json:
    return {
        "name": message["party"]["displayName"],
        "address": address_in(message["party"]["location"]),
        "purpose": table(_STAGE, message["stage"]),
        "reference": message["clientRef"],
    }


def _check(kept: Json) -> Json:
    return {
        "checkId": kept["screening_id"],
        "result": {
            "verdict": _VERDICT[kept["outcome"]],
            "strength": decimal(str(kept["score"]), 2),
            "explanations": [code(reason) for reason in kept["reasons"]],
        },
        "stage": _STAGE[kept["purpose"]],
        "clientRef": kept["reference"],
        "watchlist": _list(kept),
        "checkedAtMs": ms(kept["screened_at"]),
    }


def _list(kept: Json) -> Json:
    return {"edition": day(kept["list_date"]), "sha256": kept["list_digest"]}
