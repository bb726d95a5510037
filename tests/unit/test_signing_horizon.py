"""How far back a signer remembers, when rules let messages live longer than before: nothing settles twice, or halts."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import pytest
from nacl.signing import SigningKey

from bare_signer import CHAIN_ID, BareBuilder, rebuild
from domain_messages import texas
from sdt.domain.batch import GENESIS_HEAD
from sdt.domain.errors import Invalid, NotFound
from sdt.domain.region import load_region
from sdt.domain.transaction_id import id_bytes, uuid7
from sdt.signing import keyring, lineage
from sdt.signing.building import ChainSeen
from sdt.signing.curve import multiply_base
from sdt.signing.lineage import UnknownParent
from sdt.signing.online import Online
from sdt.signing.seal import BoxSealer, new_seal_key
from sdt.signing.store import Store
from sdt.signing.validation import message_life_s
from sdt.signing.wire import BatchProposal, Entry, MessagesRefused, Propose

DAY_S = 86_400
SHORT_S, WEEK_S, MONTH_S = 960, 7 * DAY_S, 30 * DAY_S
NOW_S = 1_900_000_000
FILE = Path(__file__).parents[2] / "regions" / "texas.toml"


class Rules(BareBuilder):
    """Judges nothing; its rules, and the time on its chain, are the test's."""

    def __init__(self, world: World) -> None:
        self.world = world

    @property
    def message_life_ms(self) -> int:
        return 1000 * self.world.life_s

    def chain_seen(self) -> ChainSeen:
        return ChainSeen(1, self.world.now_s, CHAIN_ID)


class Peer:
    """The way to another location, as a link is."""

    def __init__(self, world: World, party: int) -> None:
        self.world, self.party = world, party

    async def call(self, operation, timeout_s):
        return self.world.online[self.party].show_batch(operation)


class World:
    """Three locations with stores of their own, one clock, and a line of batches that two of them sign."""

    def __init__(self, folder: Path, life_s: int) -> None:
        self.life_s, self.now_s = life_s, NOW_S
        self.stores, self.online = {}, {}
        self.head, self.number = GENESIS_HEAD, 0
        sealer, job = BoxSealer(new_seal_key()), b"j" * 16
        points = tuple(multiply_base(party) for party in (5, 6, 7))
        for party in (1, 2, 3):
            store = self.stores[party] = Store(folder / f"signer-{party}.db")
            with store.write() as db:
                key = keyring.ChainKey(1, job, points[0], points)
                keyring.keep_pending(db, sealer, key, party, (4 + party).to_bytes(32, "big"))
                keyring.activate(db, job, b"certificate")
            self.start(party)

    def start(self, party: int) -> None:
        """Start a location, or start it anew."""
        config = SimpleNamespace(party=party, network="test", intent_keys=dict)
        peers = [Peer(self, other) for other in (1, 2, 3) if other != party]
        self.online[party] = Online(
            config,
            self.stores[party],
            Rules(self),
            None,
            SigningKey.generate(),
            SimpleNamespace(demand=lambda: None, moved=lambda: None),
            peers,
            lambda: self.now_s,
        )

    def close(self) -> None:
        for store in self.stores.values():
            store.close()

    def message(self, given_s: int | None = None) -> bytes:
        at_s = self.now_s if given_s is None else given_s
        return id_bytes(uuid7(1000 * at_s, secrets.token_bytes(10))) + b"pay"

    def settle(self, message: bytes, parties=(1, 2)) -> None:
        """Have a batch of one message signed and settled by a pair; the third hears nothing of it."""
        built = rebuild(self.proposal(message))
        for party in parties:
            with self.stores[party].write() as db:
                lineage.record(db, built.line)
        self.head, self.number = built.line.head, built.line.number

    def proposal(self, message: bytes) -> BatchProposal:
        return BatchProposal(self.number + 1, self.head, "value", self.now_s + 60, 0, 1, (Entry(message),))

    def tidy(self) -> None:
        for online in self.online.values():
            online._tidy()

    async def propose(self, party: int, message: bytes) -> str:
        """Return why a location refuses a message; "signed" if it would have bound a presignature to it."""
        try:
            answer = await self.online[party].propose(Propose(self.proposal(message), b"p" * 16, 0))
        except NotFound as error:
            return "signed" if error.code == "unknown_presignature" else error.code
        assert isinstance(answer, MessagesRefused)
        return answer.refusals[0].code


@pytest.fixture
def made(tmp_path):
    worlds = []

    def make(life_s: int) -> World:
        worlds.append(World(tmp_path, life_s))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()


def test_no_region_lets_a_message_live_longer_than_is_remembered():
    text = FILE.read_text()
    longest = text.replace("acceptance_window_s = 900", "acceptance_window_s = 86_400").replace(
        "transfer_life_s_max = 604800", "transfer_life_s_max = 2_592_000"
    )
    assert 1000 * message_life_s(load_region(longest.encode())) + lineage.CLOCKS_MS == lineage.LIFE_MS_MAX
    assert lineage.KEPT_MS > 2 * lineage.LIFE_MS_MAX
    for more in (longest.replace("86_400", "86_401"), longest.replace("2_592_000", "2_592_001")):
        with pytest.raises(Invalid):
            load_region(more.encode())
    assert message_life_s(texas()) == WEEK_S + 900


async def test_a_payment_does_not_settle_twice_when_its_time_was_made_longer_meanwhile(made):
    # given rules that become longer while the locations run, and a payment that location 3 did not see settle
    world = made(SHORT_S)
    world.settle(world.message(), (1, 2, 3))
    assert await world.propose(3, world.message()) == "signed"
    world.life_s = WEEK_S
    payment = world.message()
    world.settle(payment)
    world.settle(world.message())
    # when it is proposed again to 3 and a partner that keeps silent, more than two short lives later
    world.now_s += 3 * SHORT_S
    world.settle(world.message())
    assert await world.propose(3, payment) == "already_used"


async def test_an_act_that_was_over_is_not_forgotten_before_longer_rules_make_it_valid_again(made):
    # given a seizure that settled at all three, and was over by the rules of then
    world = made(SHORT_S)
    seizure = world.message()
    world.settle(seizure, (1, 2, 3))
    world.now_s += 4 * SHORT_S
    world.tidy()
    # when rules come by which its time is not over
    world.life_s = WEEK_S
    for party in (1, 2, 3):
        assert await world.propose(party, seizure) == "already_used"


async def test_longer_rules_ask_for_nothing_that_everybody_has_forgotten(made):
    # given a line of 62 days, tidied all the time
    world = made(WEEK_S)
    first = world.message()
    world.settle(first, (1, 2, 3))
    for _ in range(31):
        world.now_s += 2 * DAY_S
        world.settle(world.message(), (1, 2, 3))
        world.tidy()
    # when messages live for a month, and a location starts anew
    world.life_s = MONTH_S
    world.start(3)
    # then it signs, and it forgets at last
    assert await world.propose(3, world.message()) == "signed"
    world.now_s += 3 * DAY_S
    world.start(3)
    world.tidy()
    assert lineage.show(world.stores[3].db, rebuild(first_of(first)).line.head) is None
    assert await world.propose(3, world.message()) == "signed"


def first_of(message: bytes) -> BatchProposal:
    return BatchProposal(1, GENESIS_HEAD, "value", 0, 0, 1, (Entry(message),))


def as_before(world: World, forgotten_s: int, missing: range = range(0)) -> None:
    """Leave the stores as a version made them that forgot by the rules in force."""
    for party, store in world.stores.items():
        with store.write() as db:
            lineage.prune(db, 1000 * forgotten_s)
            if party == 3:
                db.execute("DELETE FROM batch WHERE number IN (SELECT value FROM json_each(?))", (str([*missing]),))
            db.execute("DROP TABLE line_memory")
            db.execute("PRAGMA user_version = 4")
        path = Path(store.db.execute("PRAGMA database_list").fetchone()[2])
        store.close()
        world.stores[party] = Store(path)
        world.start(party)


async def test_what_an_earlier_version_forgot_halts_nobody_and_is_never_signed_again(made):
    # given locations of an earlier version, which forgot after three lives; 3 never heard of what came long ago
    world = made(WEEK_S)
    messages = []
    for _ in range(40):
        messages.append(world.message())
        world.settle(messages[-1], (1, 2, 3))
        world.now_s += DAY_S
    as_before(world, world.now_s - 3 * WEEK_S, missing=range(1, 15))
    # when they go on with this one, under the rules of before and then under longer ones
    for party in (1, 2, 3):
        assert await world.propose(party, world.message()) == "signed"
    world.life_s = MONTH_S
    world.now_s += DAY_S
    for party in (1, 2, 3):
        world.start(party)
        assert await world.propose(party, world.message()) == "signed"
        # then whatever was over when they were brought up to date is refused, known or not, and the rest is known
        found = [await world.propose(party, message) for message in messages]
        assert found == ["expired_message"] * 33 + ["already_used"] * 7


async def test_only_what_was_over_may_lack(made):
    # given locations that have forgotten more than any version did
    world = made(WEEK_S)
    for _ in range(20):
        world.settle(world.message(), (1, 2, 3))
        world.now_s += DAY_S
    as_before(world, world.now_s - 13 * DAY_S)
    with pytest.raises(UnknownParent):
        await world.propose(3, world.message())


async def test_a_wrong_clock_does_not_say_when_memory_began(made):
    # given a location whose node is far behind when it starts
    world = made(WEEK_S)
    world.settle(world.message(), (1, 2, 3))
    world.online[3]._now_s = lambda: NOW_S + DAY_S
    assert await world.propose(3, world.message()) == "signed"
    assert began(world) is None
    # then its memory begins when both tell one time, and never again
    world.now_s += DAY_S
    for _ in range(2):
        assert await world.propose(3, world.message()) == "signed"
        assert began(world) == (1000 * (NOW_S + DAY_S), 1000 * WEEK_S + lineage.CLOCKS_MS)
        world.now_s += DAY_S
        world.start(3)


def began(world: World):
    return world.stores[3].db.execute("SELECT began_ms, life_ms FROM line_memory").fetchone()


async def test_a_walk_of_months_is_no_load_on_memory_or_on_others(made, monkeypatch):
    monkeypatch.setattr(lineage, "KNOWN_COMPLETE_MAX", 3)
    world = made(WEEK_S)
    messages = [world.message() for _ in range(9)]
    for message in messages:
        world.settle(message, (1, 2, 3))
    line, noted = world.online[3]._lineage, []
    monkeypatch.setattr(line, "note_complete", noted.append)
    assert await world.propose(3, world.message()) == "signed"
    # then the batches nearest to the parent are noted, and the oldest is found by its message all the same
    assert len(noted) == 3
    assert noted[-1] == world.head
    assert await world.propose(3, messages[0]) == "already_used"


@pytest.mark.parametrize("limit", ["WALKED_MAX", "FETCHES_MAX"])
async def test_a_walk_longer_than_one_proposal_may_take_goes_on_at_the_next(made, monkeypatch, limit):
    # given a line of nine batches, of which a proposal may pass, or fetch, four
    monkeypatch.setattr(lineage, limit, 4)
    world = made(WEEK_S)
    for _ in range(9):
        world.settle(world.message(), (1, 2) if limit == "FETCHES_MAX" else (1, 2, 3))
    # when more come meanwhile
    for walk in range(2):
        with pytest.raises(UnknownParent):
            await world.propose(3, world.message())
        if walk == 0:
            world.settle(world.message())
    # then the third gets to the end, since what was walked before is not walked again
    assert await world.propose(3, world.message()) == "signed"


def test_a_store_of_any_version_is_brought_to_this_one(tmp_path):
    Store(tmp_path / "new.db").close()
    Store(tmp_path / "old.db").close()
    with sqlite3.connect(tmp_path / "old.db") as db:
        db.executescript("DROP TABLE line_memory; PRAGMA user_version = 4;")
    Store(tmp_path / "old.db").close()
    digests = set()
    for name in ("new.db", "old.db"):
        with sqlite3.connect(tmp_path / name) as db:
            schema = db.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
            digests.add(hashlib.sha256(repr(schema).encode()).hexdigest())
    assert len(digests) == 1
