"""A region on a real embedded chain, with three real signers that judge real messages."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nacl.signing import SigningKey

import ports
from chain_node import ChainNode, mined, send
from sdt.adapters.chain.deploy import deploy_region, load_deployment
from sdt.adapters.chain.reader import ChainReader
from sdt.domain.assembly import Assembled, Frame, assemble
from sdt.domain.batch import BATCH_SETTLED_TOPIC, GENESIS_HEAD, BatchSettled
from sdt.domain.envelope import b64url, message_digest, seal_envelope
from sdt.domain.message import format_time, read_message
from sdt.domain.region import Region, load_region
from sdt.domain.registry import NOBODY, KeyWord, Role, pack_key_word
from sdt.domain.transaction_id import uuid7
from sdt.signing.coordinator import Coordinator, Outcome
from sdt.signing.ecdsa import verify
from sdt.signing.provision import Address, provision
from sdt.signing.wire import BatchProposal, Entry

NETWORK = "test"
REGION_FILE = Path(__file__).parents[1] / "regions" / "texas.toml"
DESKS = {
    "custodian": "TXD",
    "issuer": "TXD",
    "approver": "",
    "kyc_desk": "",
    "compliance_officer": "",
}


@dataclass(frozen=True)
class Person:
    """A client: a key, an account, a handle."""

    name: str
    key: SigningKey
    account: str

    @classmethod
    def new(cls, name: str) -> Person:
        return cls(name, SigningKey.generate(), "0x" + secrets.token_hex(20))


def in_s(seconds: float) -> str:
    return format_time(int(time.time() + seconds))


def claims(type_: str, /, *, network=NETWORK, region="US-TX", given_s: float | None = None, **more: object):
    """Return a message's claims with a fresh id."""
    now_s = time.time() if given_s is None else given_s
    return {
        "type": type_,
        "version": 1,
        "network": network,
        "transaction_id": uuid7(int(now_s * 1000), secrets.token_bytes(10)),
        "region": region,
        "issued_at": format_time(int(now_s)),
        **more,
    }


def signed(key: SigningKey, kind: str, /, **more) -> Entry:
    return Entry(seal_envelope(kind, claims(kind, **more), key))


def approved(maker: SigningKey, checker: SigningKey, kind: str, /, **more) -> Entry:
    raw = seal_envelope(kind, claims(kind, **more), maker)
    approval = seal_envelope("approve", claims("approve", digest=message_digest(raw).hex()), checker)
    return Entry(raw, (approval,))


def public_text(key: SigningKey) -> str:
    return b64url(bytes(key.verify_key)).decode()


class RegionRig:
    """Chain, signers, contracts; administrators and desks; the line of batches."""

    def __init__(self, home: Path, options: tuple[str, ...] = ("--gather-ms", "2", "--idle-s", "1")) -> None:
        self.home = home
        self.node = ChainNode(home / "chain.sqlite", *options).start()
        self.region: Region = load_region(REGION_FILE.read_bytes())
        self.first, self.second = SigningKey.generate(), SigningKey.generate()
        self.desks = {name: SigningKey.generate() for name in DESKS}
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self.number, self.parent, self.nonce = 1, GENESIS_HEAD, 0
        provision(
            home,
            [Address("127.0.0.1", ports.free_port(), ports.free_port()) for _ in range(3)],
            network=NETWORK,
            chain_urls=[self.node.url],
            region_file=REGION_FILE,
            deployment_file=home / "deployment.json",
            now=datetime.now(UTC),
        )
        for party in (1, 2, 3):
            self.start(party)

    def folder(self, party: int) -> Path:
        return self.home / f"signer-{party}"

    def start(self, party: int) -> None:
        log = (self.folder(party) / "log").open("ab")
        command = [sys.executable, "-m", "sdt.signing.signer", "--home", str(self.folder(party))]
        self.processes[party] = subprocess.Popen(command, stdout=log, stderr=log)

    def stop(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait(10)
        self.node.kill()

    async def open(self, stock: int) -> None:
        """Make the key, deploy, stock up, grant the desks their roles and put the rules in force."""
        async with coordinator(self) as to:
            address = await to.keygen()
            word = pack_key_word(KeyWord(NOBODY, Role.ADMINISTRATOR))
            async with ChainReader([self.node.url]) as reader:
                await deploy_region(
                    reader,
                    self.region,
                    chain_key=address,
                    administrators=[(bytes(key.verify_key), word) for key in (self.first, self.second)],
                    folder=self.home,
                )
            for pair in ((1, 2), (1, 3), (2, 3)):
                await to.presign(pair, stock)
            await self.settle(to, [*self.grants(), self.rules()])

    def grants(self) -> list[Entry]:
        return [
            approved(
                self.first,
                self.second,
                "grant_role",
                public_key=public_text(self.desks[name]),
                role=name,
                token=token,
                action="grant",
                expires_at=in_s(86_400),
            )
            for name, token in DESKS.items()
        ]

    def rules(self) -> Entry:
        return approved(self.first, self.second, "set_rules", digest=self.region.digest.hex(), effective=in_s(-60))

    def frame(self) -> Frame:
        deployment = load_deployment(self.home)
        assert deployment is not None
        return Frame(
            self.number, self.parent, int(time.time()) + 300, self.nonce, deployment.chain_id, deployment.settlement
        )

    def propose(self, entries: list[Entry], frame: Frame | None = None) -> tuple[BatchProposal, Assembled]:
        frame = frame or self.frame()
        made = assemble(frame, [read_message(entry.jws) for entry in entries], self.region)
        proposal = BatchProposal(
            number=frame.number,
            parent=frame.parent,
            kind="admin" if made.administers else "value",
            deadline_s=frame.deadline_s,
            nonce=frame.nonce,
            gas=made.transaction.gas,
            entries=tuple(entries),
        )
        return proposal, made

    async def sign(self, to: Coordinator, entries: list[Entry]) -> Outcome:
        proposal, made = self.propose(entries)
        return await to.sign(proposal, made.transaction.signing_hash())

    async def settle(self, to: Coordinator, entries: list[Entry]) -> BatchSettled:
        """Have a batch signed, send it, and wait for it."""
        proposal, made = self.propose(entries)
        tx_hash = made.transaction.signing_hash()
        outcome = await to.sign(proposal, tx_hash)
        assert outcome.signature is not None, outcome.refusals
        assert verify(to.public_key(), tx_hash, outcome.signature.compact())
        raw = made.transaction.raw(outcome.signature.r, outcome.signature.s, outcome.signature.recovery)
        async with ChainReader([self.node.url]) as reader:
            receipt = await mined(reader, await send(reader, raw))
        assert receipt.succeeded
        [settled] = [
            BatchSettled.from_log(log.topics, log.data) for log in receipt.logs if log.topics[0] == BATCH_SETTLED_TOPIC
        ]
        assert settled.head == made.head
        self.number, self.parent, self.nonce = self.number + 1, made.head, self.nonce + 1
        return settled

    # Messages

    def register(self, person: Person) -> Entry:
        user_id = str(uuid.uuid4())
        return signed(
            person.key,
            "register",
            user_id=user_id,
            account=person.account,
            handle=person.name,
            public_key=public_text(person.key),
            residency="US-TX",
        )

    def identify(self, person: Person, domain: str = "dollar", tier: int = 2) -> Entry:
        return signed(
            self.desks["kyc_desk"],
            "attest_identity",
            account=person.account,
            domain=domain,
            tier=tier,
            resident=True,
            evidence=secrets.token_hex(32),
            expires_at=in_s(86_400),
        )

    def attest(self, units: int, sequence: int = 0) -> Entry:
        return signed(
            self.desks["custodian"],
            "attest_reserve",
            token="TXD",
            reserve=str(units),
            holdings=secrets.token_hex(32),
            as_of=in_s(-1),
            valid_until=in_s(86_400),
            sequence=sequence,
        )

    def issue(self, person: Person, units: int, **more: object) -> Entry:
        fields = {
            "token": "TXD",
            "account": person.account,
            "amount": str(units),
            "deposit": uuid7(int(time.time() * 1000), secrets.token_bytes(10)),
            "evidence": secrets.token_hex(32),
            **more,
        }
        return approved(self.desks["issuer"], self.desks["approver"], "issue", **fields)

    def client_act(self, kind: str, person: Person, units: int, key: SigningKey | None = None, **more: object) -> bytes:
        """A deposit or a redemption, as its client signed it."""
        way = {"source": "bank:one"} if kind == "deposit" else {"destination": "bank:one", "fee_max": "0"}
        fields = {"token": "TXD", "account": person.account, "amount": str(units), "expires_at": in_s(60)} | way | more
        return signed(key or person.key, kind, **fields).jws

    def adjust(self, kind: str, person: Person, units: int, original: bytes | None, **more: object) -> Entry:
        """An adjustment as it is proposed: approved, with its original last beside it."""
        named = read_message(original).message.transaction_id if original else claims("deposit")["transaction_id"]
        fields = {
            "kind": kind,
            "token": "TXD",
            "account": person.account,
            "amount": str(units),
            "original": named,
            "evidence": secrets.token_hex(32),
            **more,
        }
        made = approved(self.desks["issuer"], self.desks["approver"], "adjust", **fields)
        return Entry(made.jws, (*made.attachments, *([original] if original else [])))

    def transfer(self, payer: Person, payee: Person, units: int = 100, key: SigningKey | None = None, **more) -> Entry:
        fields = {
            "token": "TXD",
            "payer": payer.account,
            "payee": payee.account,
            "payee_handle": payee.name,
            "amount": str(units),
            "fee_max": "1000",
            "memo": "",
            "expires_at": in_s(3600),
            **more,
        }
        return signed(key or payer.key, "transfer", **fields)


@asynccontextmanager
async def coordinator(rig: RegionRig) -> AsyncIterator[Coordinator]:
    async with Coordinator(rig.home / "coordinator", NETWORK) as to:
        deadline = time.monotonic() + 20
        while not all(status and not status.held for status in to.status().values()):
            assert time.monotonic() < deadline, "the signers did not start"
            await asyncio.sleep(0.05)
        yield to
