"""A region's API for tests: a real server on a loopback port, the real SQLite store and the embedded queue."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import nacl.signing
import uvicorn

from databases import database_at
from sdt.adapters.queue.embedded import EmbeddedQueue
from sdt.adapters.wrapping import VaultKey
from sdt.api.app import Application, create_app
from sdt.api.ids import Ids
from sdt.api.services import Deployment, Limits, Services
from sdt.domain.envelope import b64url, kid_of, seal_envelope
from sdt.domain.fincen.parties import read_filer
from sdt.domain.message import NEVER_S, format_time
from sdt.domain.proof import make_proof
from sdt.domain.region import load_region
from sdt.domain.registry import Role
from sdt.ports.queue import Queue
from sdt.store import Store, accounts, open_store
from sdt.store.accounts import KeyRow, UserRow

NETWORK = "sdt-test"
REGION_FILE = Path(__file__).resolve().parents[2] / "regions" / "texas.toml"
PERSON = {
    "given_name": "Alice",
    "family_name": "Adams",
    "born_on": "1988-04-17",
    "address": {"street": "1 Main St", "city": "Austin", "state": "TX", "postal_code": "78701"},
    "ssn_last4": "1234",
    "email": "alice@example.com",
}


@dataclass
class Holder:
    """Somebody with a key: a user with an account, or an official with a role."""

    handle: str
    account: str = field(default_factory=lambda: "0x" + secrets.token_hex(20))
    key: nacl.signing.SigningKey = field(default_factory=nacl.signing.SigningKey.generate)
    roles: Role = Role.CLIENT
    scope: int = 0

    @property
    def public_key(self) -> bytes:
        return bytes(self.key.verify_key)

    @property
    def kid(self) -> str:
        return kid_of(self.public_key)


@dataclass
class Clock:
    """Real time, moved by whoever tests it."""

    ahead_ms: int = 0

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_ms


@dataclass
class Platform:
    """The API under test, and a client of it."""

    app: Application
    services: Services
    clock: Clock
    session: aiohttp.ClientSession
    url: str

    @property
    def store(self) -> Store:
        return self.services.store

    async def settle(self, holder: Holder, *, status: str = "active", expires_at_s: int = NEVER_S) -> Holder:
        """Make a key count, as the worker does when its registration is final."""
        await self.store.run(settle, holder, status, expires_at_s)
        self.app.runtime.keys._keys.pop(holder.kid, None)
        return holder

    async def ids(self, count: int = 1) -> list[str]:
        async with self.session.post(f"{self.url}/v1/transactions", json={"count": count}) as answer:
            assert answer.status == 200, await answer.text()
            return list((await answer.json())["transaction_ids"])

    def claims(self, kind: str, transaction_id: str, **more: Any) -> dict[str, Any]:
        """Return the claims that every message has, and `more`."""
        return {
            "type": kind,
            "version": 1,
            "network": NETWORK,
            "transaction_id": transaction_id,
            "region": "US-TX",
            "issued_at": format_time(self.clock.now_ms() // 1000),
        } | more

    def transfer(self, transaction_id: str, giver: Holder, taker: Holder, /, **more: Any) -> dict[str, Any]:
        return self.claims("transfer", transaction_id) | {
            "token": "TXD",
            "payer": giver.account,
            "payee": taker.account,
            "payee_handle": taker.handle,
            "amount": "12000",
            "fee_max": "0",
            "memo": "",
            "expires_at": format_time(self.clock.now_ms() // 1000 + 3600),
        } | more  # fmt: skip

    async def signed_transfer(self, payer: Holder, payee: Holder, /, **more: Any) -> tuple[str, bytes]:
        (id_,) = await self.ids()
        return id_, seal_envelope("transfer", self.transfer(id_, payer, payee, **more), payer.key)

    def registration(self, transaction_id: str, holder: Holder, **more: Any) -> dict[str, Any]:
        return self.claims("register", transaction_id) | {
            "user_id": f"{secrets.token_hex(4)}-0000-4000-8000-{secrets.token_hex(6)}",
            "account": holder.account,
            "handle": holder.handle,
            "public_key": b64url(holder.public_key).decode(),
            "residency": "US-TX",
        } | more  # fmt: skip

    async def put(self, id_: str, message: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
        return await self.call(
            "PUT", f"/v1/transactions/{id_}", message, **{"Content-Type": "application/jose"} | headers
        )

    async def get(self, path: str, holder: Holder | None = None) -> tuple[int, dict[str, Any]]:
        """GET, with a proof by `holder` where there is one."""
        return await self.call("GET", path, **self.proof("GET", path, holder))

    async def post(self, path: str, document: Any, holder: Holder | None = None) -> tuple[int, dict[str, Any]]:
        async with self.session.post(
            self.url + path, json=document, headers=self.proof("POST", path, holder)
        ) as answer:
            return answer.status, await answer.json(content_type=None)

    def proof(self, method: str, path: str, holder: Holder | None) -> dict[str, str]:
        if holder is None:
            return {}
        now_s = self.clock.now_ms() // 1000
        return {"SDT-Proof": make_proof(holder.key, method, self.url + path, now_s, NETWORK)}

    async def call(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        async with self.session.request(method, self.url + path, data=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)


def settle(store: Store, holder: Holder, status: str = "active", expires_at_s: int = NEVER_S) -> None:
    """Write what the worker writes when a key's registration is final."""
    official = holder.roles != Role.CLIENT
    if not official and accounts.user_by_account(store, holder.account) is None:
        accounts.create_user(
            store,
            UserRow(
                user_id=f"{secrets.token_hex(4)}-0000-4000-8000-{secrets.token_hex(6)}",
                account=holder.account,
                handle=holder.handle,
                residency="US-TX",
                created_at_ms=0,
            ),
        )
        accounts.mark_registered(store, holder.account)
    accounts.upsert_key(
        store,
        KeyRow(
            kid=holder.kid,
            public_key=holder.public_key,
            account=None if official else holder.account,
            roles=int(holder.roles),
            scope=holder.scope,
            status=status,
            expires_at_s=expires_at_s,
            registered_by=None,
        ),
    )


@asynccontextmanager
async def platform(
    folder: Path,
    limits: Limits = Limits(),
    database: str | None = None,
    deployment: Deployment = Deployment(7919),
    chain_urls: tuple[str, ...] = (),
    queue: Queue | None = None,
) -> AsyncIterator[Platform]:
    """Run the API in this loop, on a port of its own, over files in `folder`."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    clock = Clock()
    region = load_region(REGION_FILE.read_bytes())
    services = Services(
        store=open_store(database or database_at(folder / "api.db"), migrate=True),
        queue=queue or EmbeddedQueue(folder / "queue.db"),
        region=region,
        network=NETWORK,
        ids=Ids(region.id, lambda: (b"i" * 32,)),
        keys=VaultKey(lambda: (b"p" * 32,)),
        documents_folder=folder / "documents",
        public_url=url,
        deployment=deployment,
        chain_urls=chain_urls,
        limits=limits,
        now_ms=clock.now_ms,
        filer=read_filer(REGION_FILE.with_name("filer.toml").read_bytes()),
    )
    app = create_app(services)
    server = uvicorn.Server(
        uvicorn.Config(app, http="httptools", ws="none", lifespan="on", access_log=False, log_config=None)
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        async with aiohttp.ClientSession() as session:
            yield Platform(app, services, clock, session, url)
    finally:
        server.should_exit = True
        await serving
        await services.queue.close()
        services.store.close()
