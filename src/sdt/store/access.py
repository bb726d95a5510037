"""How a PostgreSQL server is reached: over TLS or not, by which password, under which limits, by a pooler or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import peewee

__all__ = ["Access", "postgres_database", "role_settings"]

_SESSION: Final = {
    # A statement planned once for all while a region's tables are young reads them whole for ever after; planning
    # costs a statement of hundreds of rows little. Compiling one costs more than it saves.
    "plan_cache_mode": "force_custom_plan",
    "jit": "off",
}
_CONNECT: Final = {
    "connect_timeout": 10,
    # A server that is gone without a word, as in a failover, is noticed in half a minute and not in two hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
    "application_name": "sdt",
}


@dataclass(frozen=True, slots=True)
class Access:
    """What the address leaves open.

    `password` is asked for each new connection, so that one that changes needs no restart, and a token is always fresh.
    With `root_file` the server must prove by these roots that it is the host of the address; without, the address says.
    `pooled`: a pooler gives each transaction any session, so none is left changed: no start-up options, no SET, no
    prepared statements. The limits and `_SESSION` then belong to the role (`role_settings`).

    Units: limits in seconds; 0 is none.
    """

    password: Callable[[], str] | None = field(default=None, repr=False)
    root_file: Path | None = None
    pooled: bool = False
    statement_s: float = 0
    lock_s: float = 0
    idle_in_transaction_s: float = 0

    @property
    def session(self) -> dict[str, str]:
        """What each session must have set."""
        limits = {
            "statement_timeout": self.statement_s,
            "lock_timeout": self.lock_s,
            "idle_in_transaction_session_timeout": self.idle_in_transaction_s,
        }
        return {**_SESSION, **{name: f"{round(limit_s * 1000)}ms" for name, limit_s in limits.items()}}


class _Database(peewee.PostgresqlDatabase):
    """Peewee's, with a password asked for each connection."""

    def __init__(self, url: str, access: Access, **options: Any) -> None:
        self._access = access
        super().__init__(url, **options)

    def _connect(self) -> Any:
        secret = {"password": self._access.password()} if self._access.password is not None else {}
        connection: Any = self._adapter.connect(self, **self.connect_params, **secret)  # type: ignore[attr-defined]
        connection.autocommit = True
        return connection


def postgres_database(url: str, access: Access) -> Any:
    """Return the unconnected Peewee database of `postgresql://…`."""
    options: dict[str, Any] = dict(_CONNECT)
    if access.root_file is not None:
        options |= {"sslmode": "verify-full", "sslrootcert": str(access.root_file)}
    if access.pooled:
        options["prepare_threshold"] = None
    else:
        options["options"] = " ".join(f"-c {name}={value}" for name, value in access.session.items())
    return _Database(url, access, prefer_psycopg3=True, **options)


def role_settings(role: str, access: Access) -> list[str]:
    """Return the statements that give a role's sessions what a connection through a pooler cannot ask for."""
    name = '"' + role.replace('"', '""') + '"'
    return [f"ALTER ROLE {name} SET {setting} = '{value}';" for setting, value in access.session.items()]
