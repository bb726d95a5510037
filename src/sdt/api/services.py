"""What the API works with, as explicit arguments: the same request logic runs on uvicorn and in a Lambda handler."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.api.access import Access
from sdt.domain.region import Region
from sdt.store import Store

if TYPE_CHECKING:
    from sdt.api.ids import Ids
    from sdt.domain.fincen.parties import Filer
    from sdt.ports.queue import Queue
    from sdt.ports.wrapping import Wrapping
    from sdt.workflows.people import People

__all__ = ["Deployment", "Limits", "Services"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once. Units: as the names say."""

    message_bytes_max: int = 8_192
    request_bytes_max: int = 4_718_592
    messages_max: int = 500
    backlog_max: int = 20_000
    account_backlog_max: int = 5_000
    gather_ms: float = 2.0
    wait_s_max: float = 30.0
    proof_age_s_max: float = 60.0


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where the region's books stand on chain: what an auditor needs to look for himself."""

    chain_id: int
    settlement: str | None = None
    registry: str | None = None
    tokens: tuple[str, ...] = ()
    chain_key: str | None = None


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Services:
    """One region's API and everything it reaches.

    `public_url` is where clients reach it, as proofs name it. `keys` wraps the keys of people.
    `chain_urls` are the nodes that receipts are made from. `documents_folder` is where sealed documents are kept.
    """

    store: Store
    queue: Queue
    region: Region
    network: str
    ids: Ids
    keys: Wrapping
    public_url: str
    deployment: Deployment
    chain_urls: tuple[str, ...] = ()
    documents_folder: Path | None = None
    limits: Limits = Limits()
    access: Access = "failures"
    """Which requests are logged."""
    filer: Filer | None = None
    """Who files reports with FinCEN; without one no report is made."""
    now_ms: Callable[[], int] = _now_ms
    random: Callable[[int], bytes] = secrets.token_bytes

    @property
    def people(self) -> People:
        """Who stands behind accounts: what seals and opens everything personal."""
        from sdt.workflows.people import People  # who pays has no need of what opens names

        return People(self.store, self.keys)

    @property
    def now_s(self) -> int:
        """Whole seconds since 1970."""
        return self.now_ms() // 1000
