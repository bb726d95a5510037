"""The depository's second door: decimal grams, purity as a fraction, cursors, one path for every step of an order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sdt.sandbox.plains.door import Door, Guard, Json
from sdt.sandbox.plains.guards import ApiKeyGuard
from sdt.sandbox.plains.words import decimal, ms, table, units
from sdt.sandbox.service import ApiKeys

__all__ = ["doors"]

_ROOT: Final = "/plains/vault"
_METAL: Final = {"XAU": "GOLD", "XAG": "SILVER"}
_BAR_STATE: Final = {"held": "IN_VAULT", "locked": "RESERVED", "picked": "AT_COUNTER", "handed_over": "RELEASED"}
_ORDER_STATE: Final = {"locked": "RESERVED", "picked": "AT_COUNTER", "handed_over": "RELEASED", "canceled": "ABORTED"}
_STEPS: Final = {"pick": "pick", "release": "hand-over", "abort": "cancel"}


def doors(keys: ApiKeys) -> tuple[Mapping[str, Guard], list[Door]]:
    """Return guards and doors."""
    releases, ours = f"{_ROOT}/releases", "/v1/redemptions"
    steps = [
        Door(
            "POST",
            f"{releases}/{{order_id}}/{there}",
            f"{ours}/{{order_id}}/{here}",
            _release,
            lambda _: {},
            key_header="X-Order-Key",
        )
        for there, here in _STEPS.items()
    ]
    return {_ROOT: ApiKeyGuard(keys)}, [
        Door(
            "POST",
            f"{_ROOT}/bars",
            "/v1/intakes",
            _bar,
            _intake,
            key_header="X-Order-Key",
            asked=f"{_ROOT}/orders/{{key}}/bar",
        ),
        Door("GET", f"{_ROOT}/bars/{{bar_id}}", "/v1/bars/{bar_id}", _bar),
        Door("GET", f"{_ROOT}/vaults/{{vault}}/bars", "/v1/vaults/{vault}/bars", _page, _bar_page),
        Door("GET", f"{_ROOT}/vaults/{{vault}}/holdings", "/v1/vaults/{vault}/holding-statement", _holdings),
        Door("GET", f"{_ROOT}/vaults/{{vault}}/ledger", "/v1/vaults/{vault}/statement", _ledger, _ledger_page),
        Door(
            "POST",
            releases,
            ours,
            _release,
            _release_order,
            key_header="X-Order-Key",
            asked=f"{_ROOT}/orders/{{key}}/release",
        ),
        *steps,
        Door("GET", f"{releases}/{{order_id}}", f"{ours}/{{order_id}}", _release),
    ]


def _intake(message: Json) -> Json:
    bar = message["bar"]
    return {
        "vault": message["vaultCode"],
        "serial": bar["serialNo"],
        "refiner": bar["refinerName"],
        "form": bar["shape"].lower(),
        "metal": table(_METAL, bar["metal"]),
        "gross_ng": units(bar["grossGrams"], 9),
        "fineness": int(units(bar["purity"], 4)),
        "tests": [
            {"method": one["technique"].lower(), "passed": one["ok"], "reading": one["value"]}
            for one in message["assays"]
        ],
        "photo_digest": message["photoSha256"],
        "drop_off": message["dropOffRef"],
        "account": message["ownerRef"],
    }


def _bar(kept: Json) -> Json:
    return {
        "barId": kept["bar_id"],
        "vaultCode": kept["vault"],
        "bar": {
            "serialNo": kept["serial"],
            "refinerName": kept["refiner"],
            "shape": kept["form"].upper(),
            "metal": _METAL[kept["metal"]],
            "grossGrams": decimal(kept["gross_ng"], 9),
            "purity": decimal(str(kept["fineness"]), 4),
        },
        "fineGrams": decimal(kept["fine_ng"], 9),
        "photoSha256": kept["photo_digest"],
        "dropOffRef": kept["drop_off"],
        "ownerRef": kept["account"],
        "state": _BAR_STATE[kept["status"]],
        "receivedAtMs": ms(kept["taken_in_at"]),
    }


def _bar_page(message: Json) -> Json:
    return {"vault": message["vault"], "after": message.get("cursor", "0"), "limit": message["count"]}


def _page(kept: Json) -> Json:
    after = kept["next_after"]
    return {"items": [_bar(bar) for bar in kept["bars"]], "nextCursor": None if after is None else str(after)}


def _holdings(kept: Json) -> Json:
    return {
        "vaultCode": kept["vault"],
        "metal": _METAL[kept["metal"]],
        "fineGrams": decimal(kept["fine_ng"], 9),
        "count": kept["bar_count"],
        "asOfMs": ms(kept["as_of"]),
        "lastNo": kept["last_sequence"],
        "items": [{"barId": bar["bar_id"], "fineGrams": decimal(bar["fine_ng"], 9)} for bar in kept["bars"]],
    }


def _ledger_page(message: Json) -> Json:
    return {"vault": message["vault"], "after": message["sinceNo"], "limit": message["pageSize"]}


def _ledger(kept: Json) -> Json:
    return {
        "vaultCode": kept["vault"],
        "metal": _METAL[kept["metal"]],
        "fineGrams": decimal(kept["balance_ng"], 9),
        "asOfMs": ms(kept["as_of"]),
        "lastNo": kept["last_sequence"],
        "hasMore": kept["more"],
        "entries": [
            {
                "no": line["sequence"],
                "type": line["kind"],
                "inGrams": decimal(line["fine_ng"], 9) if line["flow"] == "in" else None,
                "outGrams": decimal(line["fine_ng"], 9) if line["flow"] == "out" else None,
                "about": line["subject"],
                "clientRef": line["reference"],
                "postedAtMs": ms(line["at"]),
            }
            for line in kept["lines"]
        ],
    }


def _release_order(message: Json) -> Json:
    return {
        "vault": message["vaultCode"],
        "bar_ids": message["barIds"],
        "account": message["ownerRef"],
        "reference": message["clientRef"],
    }


def _release(kept: Json) -> Json:
    return {
        "releaseId": kept["order_id"],
        "vaultCode": kept["vault"],
        "metal": _METAL[kept["metal"]],
        "barIds": kept["bar_ids"],
        "fineGrams": decimal(kept["fine_ng"], 9),
        "ownerRef": kept["account"],
        "clientRef": kept["reference"],
        "state": _ORDER_STATE[kept["status"]],
    }
