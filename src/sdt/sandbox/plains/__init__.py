"""The same stand-ins behind a second door: other paths, names, amounts, dates, proofs of who asks, and errors.

A vendor's interface is what differs in the world; what it does is the same. So both doors lead to one store.
"""

from __future__ import annotations

from starlette.routing import Route

from sdt.sandbox.plains import aml, bank, depository, kyc
from sdt.sandbox.plains.door import door_routes
from sdt.sandbox.plains.guards import TokenGuard, token_route
from sdt.sandbox.service import ApiKeys, Service
from sdt.sandbox.store import Store

__all__ = ["routes"]

_DOORS = {"kyc": kyc.doors, "aml": aml.doors, "bank": bank.doors, "depository": depository.doors}


def routes(service: Service, store: Store, keys: ApiKeys) -> list[Route]:
    """Return the second door's routes to a service."""
    guards, doors = _DOORS[service.name](keys)
    more = [token_route(kyc.TOKENS, keys, guard) for guard in guards.values() if isinstance(guard, TokenGuard)]
    return [*more, *door_routes(service, store, guards, doors)]
