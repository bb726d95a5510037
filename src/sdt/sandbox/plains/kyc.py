"""The identity vendor's second door: nested members in camel case, OAuth2, a request id in a header."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sdt.sandbox.plains.door import Door, Guard, Json
from sdt.sandbox.plains.guards import TokenGuard
from sdt.sandbox.plains.words import address_in, code, day_in, ms
from sdt.sandbox.service import ApiKeys

__all__ = ["TOKENS", "doors"]

_STATUS: Final = {
    "pending": "IN_PROGRESS",
    "passed": "APPROVED",
    "failed": "DECLINED",
    "review": "MANUAL_REVIEW",
    "documents_required": "NEEDS_DOCUMENTS",
}
_ROOT: Final = "/plains/kyc/v2"
TOKENS: Final = "/plains/kyc/oauth/token"


def doors(keys: ApiKeys) -> tuple[Mapping[str, Guard], list[Door]]:
    """Return guards and doors."""
    return {_ROOT: TokenGuard(keys)}, [
        _order("POST", "subjects", "applications", _person),
        _order("POST", "entities", "business-applications", _business),
        _order("PUT", "subjects/{application_id}", "applications/{application_id}/attempts", _person),
        _order("PUT", "entities/{application_id}", "business-applications/{application_id}/attempts", _business),
        _order("POST", "subjects/{application_id}/files", "applications/{application_id}/documents", _document),
        Door("GET", f"{_ROOT}/subjects/{{application_id}}", "/v1/applications/{application_id}", _shown),
    ]


def _order(method: Any, path: str, leads_to: str, read: Any) -> Door:
    return Door(
        method,
        f"{_ROOT}/{path}",
        f"/v1/{leads_to}",
        _shown,
        read,
        key_header="X-Request-Id",
        asked=f"{_ROOT}/requests" if path == "subjects" else "",
        asked_in_a_list=True,
    )


def _person(message: Json) -> Json:
    return {"account": message["walletRef"], "region_state": message["jurisdiction"], **_individual(message["subject"])}


def _business(message: Json) -> Json:
    entity = message["entity"]
    return {
        "account": message["walletRef"],
        "region_state": message["jurisdiction"],
        "legal_name": entity["registeredName"],
        "kind": entity["type"].lower(),
        "ein_last4": entity["taxId"]["lastFour"],
        "formed_in": entity["formedIn"],
        "address": address_in(entity["address"]),
        "control": _individual(message["controller"]),
        "owners": [
            {**_individual(owner["individual"]), "share_ppm": int(owner["percent"].replace(".", ""))}
            for owner in message["owners"]
        ],
    }


def _individual(given: Json) -> Json:
    return {
        "given_name": given["fullName"]["first"],
        "family_name": given["fullName"]["last"],
        "born_on": day_in(given["dateOfBirth"]),
        "address": address_in(given["homeAddress"]),
        "ssn_last4": given["taxId"]["lastFour"],
    }


def _document(message: Json) -> Json:
    return {
        "kind": message["fileType"].lower(),
        "subject": message["about"],
        "media_type": message["mimeType"],
        "sha256": message["digest"],
        "content": message["data"],
    }


def _shown(kept: Json) -> Json:
    return {
        "subjectId": kept["application_id"],
        "walletRef": kept["account"],
        "jurisdiction": kept["region_state"],
        "decision": {
            **_finding(kept["outcome"], kept["reasons"]),
            "level": kept["tier"],
            "decidedAtMs": ms(kept["decided_at"]),
            "expiresAtMs": ms(kept["expires_at"]),
        },
        "residency": {
            **_finding(kept["residency"], kept["residency_reasons"]),
            "confirmed": kept["resident"],
        },
        "attemptsRemaining": kept["attempts_left"],
        "parties": [{"role": one["subject"], **_finding(one["outcome"], one["reasons"])} for one in kept["subjects"]],
    }


def _finding(outcome: str, reasons: list[str]) -> Json:
    return {"status": _STATUS[outcome], "reasonCodes": [code(reason) for reason in reasons]}
