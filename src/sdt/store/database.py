"""One open database, SQLite or PostgreSQL, with one face: portable SQL, one transaction per unit of work.

Statements are written once, with `?` for a parameter. The few that differ (bulk writes) ask `store.postgres`.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import lru_cache
from typing import Any, Concatenate, Final, ParamSpec, TypeVar
from urllib.parse import unquote, urlsplit

import peewee
import psycopg

from sdt.domain.errors import Unavailable
from sdt.store.access import Access, postgres_database
from sdt.store.figures import DATABASE, DATABASE_WAITING

__all__ = ["ConnectionLost", "OwnerOnly", "Store", "connect", "database_of"]

P = ParamSpec("P")
T = TypeVar("T")

_SQLITE_PRAGMAS: Final = {
    "journal_mode": "wal",
    "synchronous": "full",
    "busy_timeout": 10_000,
    "cache_size": -32_768,
    "wal_autocheckpoint": 4_000,
    # What is deleted is overwritten: a person's key must not outlive its deletion in a page's free space.
    "secure_delete": 1,
}
_DEADLOCKS: Final = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
_OUTAGES: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.IdleInTransactionSessionTimeout,
)
_ATTEMPTS: Final = 5
_ASK_S: Final = 10.0
"""How long the server is asked what became of a commit."""
_PAUSE_S: Final = 0.02


def database_of(url: str, access: Access = Access()) -> Any:
    """Return the unconnected Peewee database of `sqlite:///path` or `postgresql://…`.

    A password comes beside the URL: a URL ends up in logs and process lists.
    Errors: ValueError without repeating the URL, which may hold a password.
    """
    scheme = url.partition(":")[0]
    if scheme == "sqlite":
        path = unquote(urlsplit(url).path)
        if not url.startswith("sqlite:///") or len(path) < 2:
            raise ValueError("A SQLite URL is written sqlite:///relative/path or sqlite:////absolute/path.")
        return peewee.SqliteDatabase(path[1:], pragmas=_SQLITE_PRAGMAS, timeout=10)
    if scheme in ("postgresql", "postgres"):
        return postgres_database("postgresql" + url[len(scheme) :], access)
    raise ValueError("The database URL begins with sqlite:/// or postgresql://.")


class _measured:
    """Times one unit of work and counts it while it lasts."""

    __slots__ = ("_begun", "_kind")

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __enter__(self) -> None:
        DATABASE_WAITING.add(1)
        self._begun = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        DATABASE.observe(time.perf_counter() - self._begun, self._kind)
        DATABASE_WAITING.add(-1)


@lru_cache(maxsize=512)
def _percent(sql: str) -> str:
    assert "%" not in sql, "a % in a statement would be read as a parameter"
    return sql.replace("?", "%s")


class ConnectionLost(Unavailable):
    """The server or the network ended a connection; the next use has another."""


class OwnerOnly(Unavailable):
    """Another role asked for what only the owner of the tables may do; as the same role it never goes."""

    code = "database_owner_only"


class Store:
    """An open database.

    Every thread that uses it has a connection of its own. Functions of this package take the store first;
    each runs in one transaction, or joins the one that is open: `with store.transaction():` makes several of
    them one commit.
    """

    def __init__(self, database: Any, *, pooled: bool = False, first: Callable[[Store], None] | None = None) -> None:
        """`pooled`: one connection at most, opened at the first use, which `first` comes before."""
        self.database: Final = database
        self.postgres: Final[bool] = isinstance(database, peewee.PostgresqlDatabase)
        self.pooled: Final = pooled
        self._first = first
        self.fence: Callable[[Store], None] | None = None
        """What each database transaction begins with: the settlement process makes sure that it still is the one."""
        self._writer = ThreadPoolExecutor(1, "store-write")
        # Through a pooler a session cannot be made one that only reads; a process has one connection there.
        self._reader = self._writer if pooled else ThreadPoolExecutor(1, "store-read")
        self._only_reads: Any = None

    def __repr__(self) -> str:
        return f"Store({'postgresql' if self.postgres else 'sqlite'})"

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is one commit. Inside another transaction it joins that one.

        Errors: Unavailable when the database cannot be reached, is busy or is full; nothing was written. What the
        fence refuses.
        """
        if self.database.in_transaction():
            yield
            return
        # A SQLite transaction that began as a reader could not become a writer while another one writes.
        with self._outages(), self.database.transaction(*(() if self.postgres else ("IMMEDIATE",))):
            if self.fence is not None:
                self.fence(self)
            yield

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """Run one statement and return its cursor."""
        return self.database.execute_sql(_percent(sql) if self.postgres else sql, parameters or None)

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """Run one query and return all its rows as tuples."""
        rows: list[Any] = self.execute(sql, parameters).fetchall()
        return rows

    def wide_rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """Run one query over wide rows with bytes in them, and return them as `rows` does.

        PostgreSQL sends them in binary: hexadecimal would double the messages, and reading it costs as much again.
        """
        if not self.postgres:
            return self.rows(sql, parameters)
        cursor = self.database.cursor()
        cursor.format = psycopg.pq.Format.BINARY
        found: list[Any] = cursor.execute(_percent(sql), parameters or None).fetchall()
        return found

    def row(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """Run one query and return its first row, or None."""
        return self.execute(sql, parameters).fetchone()

    def many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Run one statement for each row of parameters."""
        cursor = self.database.cursor()
        cursor.executemany(_percent(sql) if self.postgres else sql, rows)

    def among(self, column: str) -> str:
        """Return the condition that a text column is one of the values in the parameter made by `listed`."""
        return f"{column} = ANY(?)" if self.postgres else f"{column} IN (SELECT value FROM json_each(?))"  # noqa: S608

    def member(self, column: str, name: str) -> str:
        """Return the expression for a text member of a column that holds a JSON object."""
        return f"CAST({column} AS json) ->> '{name}'" if self.postgres else f"json_extract({column}, '$.{name}')"

    def listed(self, values: Iterable[str]) -> object:
        """Return texts as one parameter: an array, or JSON where the database has no arrays."""
        return list(values) if self.postgres else json.dumps(list(values))

    async def run(self, fn: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `fn(store, *args)` as one transaction in the thread that owns the writing connection.

        It may run again from its start when PostgreSQL undoes it to break a deadlock, or the connection is lost: it
        does nothing else. Whether a commit whose answer was lost took place is asked of the server, and never guessed.
        """
        from asyncio import get_running_loop

        with _measured("write"):
            return await get_running_loop().run_in_executor(
                self._writer, copy_context().run, lambda: self._attempt(fn, *args, **kwargs)
            )

    async def read(self, fn: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `fn(store, *args)` in the thread that only reads, so that it never waits behind a commit."""
        from asyncio import get_running_loop

        with _measured("read"):
            return await get_running_loop().run_in_executor(
                self._reader, copy_context().run, lambda: self._look(fn, *args, **kwargs)
            )

    async def revive(self) -> None:
        """See that both threads have a connection that answers: one that stood idle may have been closed.

        Errors: Unavailable.
        """
        for use in (self.read, self.run):
            try:
                await use(_answers)
            except Unavailable:
                # What failed is closed; the second look connects anew, or says that nobody is there.
                await use(_answers)

    def _attempt(self, fn: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        for left in reversed(range(_ATTEMPTS)):
            number: str | None = None
            try:
                self._look_first()
                with self.transaction():
                    result = fn(self, *args, **kwargs)
                    number = self._own_number()
                return result
            except ConnectionLost:
                # Without a number it wrote nothing. With one the commit was on its way: the server knows.
                if number is not None and self._was_committed(number):
                    return result
                if not left:
                    raise
            except Exception as error:
                if not left or not _was_undone(error):
                    raise
                # Let the one that was not undone take what it waited for.
                time.sleep(_PAUSE_S)
        raise AssertionError("unreachable")

    def _look(self, fn: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return self._looked(fn, *args, **kwargs)
        except ConnectionLost:
            return self._looked(fn, *args, **kwargs)

    def _looked(self, fn: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        with self._outages():
            self._look_first()
            if self._reader is not self._writer:
                self._read_only()
            return fn(self, *args, **kwargs)

    def _look_first(self) -> None:
        if self._first is not None:
            self._first(self)
            self._first = None

    def _own_number(self) -> str | None:
        """Return PostgreSQL's number of the transaction that is open, None if it has written nothing."""
        if not self.postgres:
            return None
        (number,) = self.row("SELECT CAST(pg_current_xact_id_if_assigned() AS text)")
        return str(number) if number else None

    def _was_committed(self, number: str) -> bool:
        """Ask what became of a transaction whose commit was not answered.

        Errors: Unavailable when the server cannot be asked in time, or does not know.
        """
        until_s = time.monotonic() + _ASK_S
        while True:
            try:
                with self._outages():
                    (said,) = self.row("SELECT pg_xact_status(CAST(CAST(? AS text) AS xid8))", (number,))
            except Unavailable:
                if time.monotonic() > until_s:
                    raise
                said = "in progress"
            if said in ("committed", "aborted"):
                return bool(said == "committed")
            if said is None or time.monotonic() > until_s:
                raise Unavailable("What became of a commit is not known; read it.", code="database_unavailable")
            time.sleep(_PAUSE_S)

    @contextmanager
    def _outages(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if not _is_outage(error):
                raise
            lost = self._is_lost(error)
            # The next use connects anew.
            self.database.close()
            kind = ConnectionLost if lost else Unavailable
            raise kind("The database does not answer; try again.", code="database_unavailable") from error

    def _is_lost(self, error: BaseException) -> bool:
        """Whether there was a connection, and the server or the network ended it: another may be had at once."""
        if not self.postgres or self.database.is_closed():
            return False
        return bool(self.database.connection().closed)

    def _read_only(self) -> None:
        """Make the connection of the reading thread one that only reads, each new one again."""
        connection = self.database.connection()
        if connection is self._only_reads:
            return
        self.execute("SET default_transaction_read_only = on" if self.postgres else "PRAGMA query_only = 1")
        self._only_reads = connection

    async def scrub(self, *tables: str) -> None:
        """Let go of what overwritten rows of these tables left: in SQLite's log, or in PostgreSQL's dead rows.

        Errors: Unavailable while a reader still needs SQLite's log; it is tried again. OwnerOnly: PostgreSQL lets
        nobody else vacuum a table.
        """
        from asyncio import get_running_loop

        await get_running_loop().run_in_executor(self._writer, self._scrub, tables)

    def _scrub(self, tables: Sequence[str]) -> None:
        with self._outages():
            if self.postgres:
                self._vacuum(tables)
                return
            busy, *_ = self.row("PRAGMA wal_checkpoint(TRUNCATE)")
            if busy:
                raise Unavailable("The database is being read.", code="database_unavailable")

    def _vacuum(self, tables: Sequence[str]) -> None:
        # A table of somebody else's is passed over, with a warning and no error.
        warnings: list[psycopg.errors.Diagnostic] = []

        def said(notice: psycopg.errors.Diagnostic) -> None:
            if notice.severity_nonlocalized == "WARNING":
                warnings.append(notice)

        connection = self.database.connection()
        connection.add_notice_handler(said)
        try:
            self.execute("SET statement_timeout = 0")
            self.execute("SET client_min_messages = warning")
            for table in tables:
                self.execute(f"VACUUM {table}")
            self.execute("RESET client_min_messages")
            self.execute("RESET statement_timeout")
        finally:
            connection.remove_notice_handler(said)
        if warnings:
            raise OwnerOnly("PostgreSQL did not vacuum every table: run sdt db scrub as their owner.")

    def close(self) -> None:
        """Finish what was begun and close the connections of the two threads and of this one."""
        for pool in {self._writer, self._reader}:
            pool.submit(self.database.close)
            pool.shutdown(wait=True)
        self.database.close()


def connect(url: str, access: Access = Access(), *, first: Callable[[Store], None] | None = None) -> Store:
    """Open a database; `first` looks at it, at once or, through a pooler, before the first use. Errors: Unavailable."""
    store = Store(database_of(url, access), pooled=access.pooled, first=first)
    if access.pooled:
        return store
    try:
        store.database.connect(reuse_if_open=True)
        store._look_first()
    except (peewee.OperationalError, psycopg.OperationalError) as error:
        store.close()
        raise Unavailable("The database cannot be opened.", code="database_unavailable") from error
    except BaseException:
        store.close()
        raise
    if store.postgres:
        # The two threads have their own; this one has it again when it is used.
        store.database.close()
    return store


def _answers(store: Store) -> None:
    store.execute("SELECT 1")


def _origin(error: BaseException) -> BaseException:
    """Return the driver's own error: Peewee wraps those of single statements, twice when one had to connect first."""
    while isinstance(error, peewee.PeeweeException) and (within := error.__cause__ or error.__context__):
        error = within
    return error


def _was_undone(error: BaseException) -> bool:
    return isinstance(_origin(error), _DEADLOCKS)


def _is_outage(error: BaseException) -> bool:
    origin = _origin(error)
    if isinstance(origin, sqlite3.OperationalError):
        return (origin.sqlite_errorcode & 0xFF) in (
            sqlite3.SQLITE_BUSY,
            sqlite3.SQLITE_LOCKED,
            sqlite3.SQLITE_FULL,
            sqlite3.SQLITE_IOERR,
            sqlite3.SQLITE_CANTOPEN,
        )
    return isinstance(origin, _OUTAGES) and not isinstance(origin, _DEADLOCKS)
