"""The bank's second door: decimal dollars, signed ACH requests, basic for the accounts, refusals within a 200."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sdt.sandbox.plains.door import Door, Guard, Json
from sdt.sandbox.plains.guards import ApiKeyGuard, BasicGuard, HmacGuard, base64_over_digest
from sdt.sandbox.plains.words import address, day, decimal, ms, table, units
from sdt.sandbox.service import ApiKeys

__all__ = ["doors"]

_ACH: Final = "/plains/ach"
_FILES: Final = "/plains/files"
_TREASURY: Final = "/plains/treasury"
_DIRECTION: Final = {"debit": "PULL", "credit": "PUSH"}
_ACCOUNT: Final = {"checking": "DDA", "savings": "SAV"}
_STATE: Final = {
    "created": "NEW",
    "filed": "SENT",
    "settled": "CLEARED",
    "window_passed": "GOOD",
    "returned": "BOUNCED",
}
_DAYS: Final = {
    "created_day": "newOn",
    "filed_day": "sentOn",
    "settled_day": "clearedOn",
    "window_passed_day": "goodOn",
    "returned_day": "bouncedOn",
}


def doors(keys: ApiKeys) -> tuple[Mapping[str, Guard], list[Door]]:
    """Return guards and doors."""
    guards: Mapping[str, Guard] = {
        _ACH: HmacGuard(keys, base64_over_digest),
        _TREASURY: BasicGuard(keys),
        _FILES: ApiKeyGuard(keys),
    }
    return guards, [
        Door(
            "POST",
            f"{_ACH}/payments",
            "/v1/ach/entries",
            _payment,
            _payment_order,
            key_header="X-Idempotency",
            asked=f"{_ACH}/requests/{{key}}",
            declines=True,
        ),
        Door("GET", f"{_ACH}/payments/{{entry_id}}", "/v1/ach/entries/{entry_id}", _payment),
        Door(
            "POST",
            f"{_TREASURY}/internal-transfers",
            "/v1/book-transfers",
            _transfer,
            _transfer_order,
            key_field="endToEndId",
            asked=f"{_TREASURY}/requests/{{key}}",
            declines=True,
        ),
        Door("GET", f"{_TREASURY}/internal-transfers/{{transfer_id}}", "/v1/book-transfers/{transfer_id}", _transfer),
        Door("GET", f"{_TREASURY}/cash-deposits/{{deposit_id}}", "/v1/currency-deposits/{deposit_id}", _cash),
        Door("GET", f"{_TREASURY}/ledger", "/v1/accounts/{account}/statement", _ledger, _ledger_page),
        Door("GET", f"{_TREASURY}/business-day", "/v1/calendar", _business_day),
        Door(
            "POST",
            f"{_FILES}/outbound",
            "/v1/ach/files",
            _taken,
            _handed_in,
            key_header="X-Order-Key",
            asked=f"{_FILES}/requests/{{key}}",
        ),
        Door("GET", f"{_FILES}/outbound/{{name}}", "/v1/ach/files/{name}", _taken),
        Door("GET", f"{_FILES}/inbound", "/v1/ach/inbound", _listed, lambda message: {"after": message["sinceNo"]}),
        Door("GET", f"{_FILES}/inbound/{{name}}", "/v1/ach/inbound/{name}", _fetched),
    ]


def _payment_order(message: Json) -> Json:
    receiver = message["receiver"]
    return {
        "direction": table(_DIRECTION, message["direction"]),
        "account": message["settlementAccount"],
        "amount_cents": units(message["amountUsd"], 2),
        "counterparty": {
            "routing_number": receiver["aba"],
            "account_number": receiver["accountNo"],
            "account_type": table(_ACCOUNT, receiver["accountType"]),
            "holder": receiver["name"],
        },
        "sec_code": message["entryClass"],
        "reference": message["clientRef"],
    }


def _payment(kept: Json) -> Json:
    return {
        "paymentId": kept["entry_id"],
        "direction": _DIRECTION[kept["direction"]],
        "settlementAccount": kept["account"],
        "amountUsd": decimal(kept["amount_cents"], 2),
        "entryClass": kept["sec_code"],
        "clientRef": kept["reference"],
        "trace": kept["trace_number"],
        "state": _STATE[kept["status"]],
        "bounceCode": kept["return_code"],
        "timeline": {there: kept[here] for here, there in _DAYS.items()},
    }


def _handed_in(message: Json) -> Json:
    return {"name": message["fileName"], "sha256": message["digest"]["hex"], "content": message["bytes"]}


def _taken(kept: Json) -> Json:
    return {
        "fileName": kept["name"],
        "digest": {"algorithm": "SHA-256", "hex": kept["sha256"]},
        "status": kept["state"].upper(),
        "statusCode": kept["code"],
    }


def _listed(kept: Json) -> Json:
    return {"items": [{"no": file["sequence"], "fileName": file["name"]} for file in kept["files"]]}


def _fetched(kept: Json) -> Json:
    return {
        "fileName": kept["name"],
        "digest": {"algorithm": "SHA-256", "hex": kept["sha256"]},
        "bytes": kept["content"],
    }


def _transfer_order(message: Json) -> Json:
    return {
        "source": message["from"],
        "destination": message["to"],
        "amount_cents": units(message["amountUsd"], 2),
        "reference": message["clientRef"],
    }


def _transfer(kept: Json) -> Json:
    return {
        "transferId": kept["transfer_id"],
        "from": kept["source"],
        "to": kept["destination"],
        "amountUsd": decimal(kept["amount_cents"], 2),
        "clientRef": kept["reference"],
        "state": {"confirmed": "BOOKED", "pending": "QUEUED"}[kept["status"]],
        "bookedAtMs": ms(kept["confirmed_at"]),
    }


def _cash(kept: Json) -> Json:
    by = kept["conductor"]
    return {
        "depositId": kept["deposit_id"],
        "accountId": kept["account"],
        "amountUsd": decimal(kept["amount_cents"], 2),
        "clientRef": kept["reference"],
        "ownMoney": kept["by_holder"],
        "presenter": {
            "fullName": {"first": by["given_name"], "last": by["family_name"]},
            "dateOfBirth": day(by["born_on"]),
            "homeAddress": address(by["address"]),
            "idCard": {"type": by["document"], "number": by["document_number"], "issuedBy": by["document_issuer"]},
        },
        "countedAtMs": ms(kept["counted_at"]),
    }


def _ledger_page(message: Json) -> Json:
    return {"account": message["accountId"], "after": message["sinceNo"], "limit": message["pageSize"]}


def _ledger(kept: Json) -> Json:
    owes = int(kept["overdraft_cents"])
    balance = decimal(kept["overdraft_cents"] if owes else kept["balance_cents"], 2)
    return {
        "accountId": kept["account"],
        "closing": {"balanceUsd": f"-{balance}" if owes else balance, "asOfMs": ms(kept["as_of"])},
        "lastNo": kept["last_sequence"],
        "hasMore": kept["more"],
        "entries": [_entry(line) for line in kept["lines"]],
    }


def _entry(line: Json) -> Json:
    dollars = decimal(line["amount_cents"], 2)
    return {
        "no": line["sequence"],
        "type": line["kind"],
        "creditUsd": dollars if line["flow"] == "in" else None,
        "debitUsd": dollars if line["flow"] == "out" else None,
        "about": line["subject"],
        "clientRef": line["reference"],
        "postedAtMs": ms(line["at"]),
    }


def _business_day(kept: Json) -> Json:
    test: dict[str, Any] | None = {"secondsPerDay": kept["seconds_per_banking_day"]} if kept["compressed"] else None
    return {
        "dayNumber": kept["banking_day"],
        "date": day(kept["date"]),
        "clock": kept["time"],
        "paused": kept["frozen"],
        "simulated": test,
    }
