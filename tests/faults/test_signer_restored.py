"""An old disk of one signer, its partner's keys in hostile hands: without the counter the key; with it, nothing."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys

import pytest

import bare_signer
from sdt.domain.errors import SdtError
from sdt.signing.config import load_signer_config
from sdt.signing.curve import ORDER, multiply_base
from sdt.signing.ecdsa import r_of
from sdt.signing.spending import mark_digest
from sdt.signing.store import Store
from sdt.signing.transcript import Intent
from sdt.signing.transcript import sign as sign_statement
from sdt.signing.wire import Propose, Release
from signing_rig import NETWORK, Line, Rig, coordinator, sign, tx_hash, until

pytestmark = pytest.mark.slow

VICTIM, PARTNER, THIRD = 1, 2, 3
FILES = ("signer.db", "signer.db-wal", "signer.db-shm")


@pytest.fixture
def rig(tmp_path):
    """Three locations with a key and stock, not started."""
    rig = Rig(tmp_path, stocked=True)
    yield rig
    rig.stop()


def keep_disk(rig, name):
    """Copy the victim's database files, as a backup of a stopped location has them."""
    (rig.home / name).mkdir()
    for file in FILES:
        if (rig.folder(VICTIM) / file).exists():
            shutil.copy(rig.folder(VICTIM) / file, rig.home / name / file)


def restore_disk(rig, name):
    for file in FILES:
        (rig.folder(VICTIM) / file).unlink(missing_ok=True)
        if (rig.home / name / file).exists():
            shutil.copy(rig.home / name / file, rig.folder(VICTIM) / file)


def counter(rig):
    return rig.home / "counters" / f"signer-{VICTIM}"


def give_up_counter(rig):
    command = [sys.executable, "-m", "sdt.signing.signer", "--home", str(rig.folder(VICTIM)), "--new-counter"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Thief:
    """The partner's disk and keys, and the coordinator's certificate: everything but the victim."""

    def __init__(self, rig):
        config = load_signer_config(rig.folder(PARTNER))
        self._sealer = config.sealer()
        self._key = config.intent_key(self._sealer)
        with sqlite3.connect(rig.folder(PARTNER) / "signer.db") as db:
            query = "SELECT job, idx, sealed FROM presignature WHERE low = 1 AND high = 2 AND state = 'ready' LIMIT 1"
            [(self.job, self.index, sealed)] = db.execute(query).fetchall()
        label = b"presignature " + self.job + self.index.to_bytes(4, "big")
        secret = self._sealer.unseal(label, sealed)
        self._kappa, self._xi = int.from_bytes(secret[:32], "big"), int.from_bytes(secret[32:], "big")
        self.parts: dict[bytes, int] = {}

    async def take_part(self, to, batch):
        """Have the victim sign with our presignature and our promise, whatever the batch; keep its part."""
        proposed = await to._remotes[VICTIM].call(Propose(batch, self.job, self.index), 5)
        intent = Intent(
            network=NETWORK,
            chain_id=bare_signer.CHAIN_ID,
            public=to.public_key(),
            epoch=proposed.epoch,
            number=batch.number,
            job=self.job,
            index=self.index,
            point=proposed.row.point,
            pair=(VICTIM, PARTNER),
            tx_hash=tx_hash(batch),
            nonce=batch.nonce,
        )
        promise = sign_statement(self._key, intent.digest())
        released = await to._remotes[VICTIM].call(Release(self.job, self.index, tx_hash(batch), promise), 5)
        self.r = r_of(proposed.row.point)
        self.parts[tx_hash(batch)] = int.from_bytes(released.part, "big")

    def key(self):
        """Solve two parts of one presignature for the victim's shares, and those with ours for the key."""
        (h1, s1), (h2, s2) = self.parts.items()
        hash_1, hash_2 = int.from_bytes(h1, "big"), int.from_bytes(h2, "big")
        kappa = (s1 - s2) * pow(hash_1 - hash_2, -1, ORDER) % ORDER
        xi = (s1 - hash_1 * kappa) * pow(self.r, -1, ORDER) % ORDER
        whole_kappa, whole_xi = (2 * kappa - self._kappa) % ORDER, (2 * xi - self._xi) % ORDER
        return whole_xi * pow(whole_kappa, -1, ORDER) % ORDER


async def steal(rig, *, restore, lie="", wait=True):
    """Run the whole attack; return the thief, the code at which it ended, and the coordinator's last view of it."""
    keep_disk(rig, "old")
    thief = Thief(rig)
    for party in (VICTIM, PARTNER, THIRD):
        rig.start(party, lie=lie if party == VICTIM else "")
    async with coordinator(rig) as to:
        await to.keygen()
        await thief.take_part(to, Line().batch(1))
        await until(lambda: to.status()[THIRD] is not None)
        await marked_at(rig, THIRD)
        # the disk of before is restored
        rig.signal(VICTIM, signal.SIGKILL)
        await until(lambda: to.status()[VICTIM] is None)
        restore()
        rig.start(VICTIM, lie=lie)
        await until(lambda: (status := to.status()[VICTIM]) is not None and not status.held)
        code = ""
        try:
            await thief.take_part(to, Line().batch(1))
        except SdtError as error:
            code = error.code
        await to._remotes[VICTIM].pulse()
        return thief, code, to.status()[VICTIM], to.public_key()


async def marked_at(rig, party):
    """Wait until a location keeps the victim's mark of its first spending."""

    def kept():
        with sqlite3.connect(rig.folder(party) / "signer.db") as db:
            return db.execute("SELECT 1 FROM peer_spend WHERE party = ? AND count >= 1", (VICTIM,)).fetchall()

    await until(kept)


async def test_without_any_anchor_an_old_disk_and_a_partner_give_the_key(rig):
    # given a victim that believes its disk: when it is restored, one presignature serves twice
    thief, code, _, public = await steal(rig, restore=lambda: restore_disk(rig, "old"), lie="unanchored")
    # then the attack works: this is what the anchors are for
    assert code == ""
    assert multiply_base(thief.key()) == public


async def test_an_old_disk_is_told_by_its_counter_and_its_stock_is_burnt(rig):
    # given a victim whose third peer cannot tell either, since the counter alone was left
    def restore():
        restore_disk(rig, "old")
        rig.signal(THIRD, signal.SIGKILL)

    _, code, status, _ = await steal(rig, restore=restore)
    # then nothing is left to sign with, on disk neither, and the operator is told
    assert code == "presignature_burnt"
    assert status.stock == (0, 0, 0)
    assert "counter" in status.burnt
    with sqlite3.connect(rig.folder(VICTIM) / "signer.db") as db:
        assert db.execute("SELECT count(*) FROM presignature WHERE sealed IS NOT NULL").fetchall() == [(0,)]


async def test_a_counter_that_was_restored_with_the_disk_is_told_by_the_peers(rig):
    # given that the counter was not where it should be: in the same snapshot
    shutil.copy(counter(rig), rig.home / "old-counter")

    def restore():
        restore_disk(rig, "old")
        shutil.copy(rig.home / "old-counter", counter(rig))

    _, code, status, _ = await steal(rig, restore=restore)
    # then a peer shows the victim's own signature of what it did
    assert code == "presignature_burnt"
    assert "own signature" in status.burnt


async def test_signing_goes_on_with_the_others_and_with_a_new_stock(rig):
    await steal(rig, restore=lambda: restore_disk(rig, "old"))
    async with coordinator(rig) as to:
        line = Line()
        # given a restored location whose stock is burnt: the other two sign
        outcome = await sign(to, batch := line.batch(1))
        assert outcome.pair == (PARTNER, THIRD)
        line.settled(batch)
        # and with presignatures made since, it signs again
        await to.presign((VICTIM, THIRD), 5)
        to._last_pair = (VICTIM, THIRD)
        assert (await sign(to, line.batch(1))).pair == (VICTIM, THIRD)


async def test_an_ordinary_restart_burns_nothing_even_with_a_peer_away(rig):
    for party in (VICTIM, PARTNER, THIRD):
        rig.start(party)
    async with coordinator(rig) as to:
        line = Line()
        for number in (signal.SIGTERM, signal.SIGKILL):
            for _ in range(4):
                await sign(to, batch := line.batch(1))
                line.settled(batch)
            before = to.status()[VICTIM].stock
            # when a location ends, or is killed, and comes back while a peer is away
            if number == signal.SIGKILL:
                rig.signal(THIRD, signal.SIGKILL)
            rig.signal(VICTIM, number)
            await until(lambda: to.status()[VICTIM] is None)
            rig.start(VICTIM)
            await until(lambda: to.status()[VICTIM] is not None)
            # then it signs again within the moment that it waits for the peer, with the stock it had
            outcome = await sign(to, batch := line.batch(1))
            assert outcome.signature is not None
            line.settled(batch)
            status = to.status()[VICTIM]
            assert sum(status.stock) >= sum(before) - 6
            assert not status.burnt


async def test_a_counter_out_of_reach_stops_spending_and_burns_nothing(rig):
    for party in (VICTIM, PARTNER, THIRD):
        rig.start(party)
    async with coordinator(rig) as to:
        await to.keygen()
        await to._pool.refresh((VICTIM, PARTNER))
        thief = Thief(rig)
        before = to.status()[VICTIM].stock
        # given a running signer whose counter's storage goes away
        away = counter(rig).with_name("away")
        counter(rig).rename(away)
        # then no part leaves
        with pytest.raises(SdtError) as held:
            await thief.take_part(to, Line().batch(1))
        assert held.value.code == "stock_held"
        await until(lambda: to.status()[VICTIM].held)
        assert sum(to.status()[VICTIM].stock) >= sum(before) - 1
        # (while the other two sign)
        assert (await sign(to, Line().batch(1))).pair == (PARTNER, THIRD)
        # and when it is back, so is the location, with its stock
        away.rename(counter(rig))
        await until(lambda: not to.status()[VICTIM].held)
        thief.index += 1
        await thief.take_part(to, Line().batch(1))


async def test_a_lost_counter_is_given_up_by_hand_only_and_costs_the_stock(rig):
    counter(rig).unlink()
    for party in (VICTIM, PARTNER, THIRD):
        rig.start(party)
    async with coordinator(rig, wait=False) as to:
        await until(lambda: all(to.status().values()))
        # given a location whose counter is gone: it waits
        assert "--new-counter" in to.status()[VICTIM].held
        rig.signal(VICTIM, signal.SIGTERM)
        # when its operator gives the counter up
        assert "are burnt" in give_up_counter(rig)
        rig.start(VICTIM)
        await until(lambda: (status := to.status()[VICTIM]) is not None and not status.held)
        # then it goes on without the stock, and with another counter
        assert to.status()[VICTIM].stock == (0, 0, 0)
        assert counter(rig).exists()


async def test_a_counter_that_signer_toml_no_longer_names_is_missed(rig):
    # given a disk that counts with a counter, beside an older signer.toml that names none
    toml = rig.folder(VICTIM) / "signer.toml"
    lines = [line for line in toml.read_text().splitlines() if not line.startswith("counter_file")]
    toml.write_text("\n".join(lines) + "\n")
    for party in (VICTIM, PARTNER, THIRD):
        rig.start(party)
    async with coordinator(rig, wait=False) as to:
        await until(lambda: all(to.status().values()))
        assert "counter_file" in to.status()[VICTIM].held


async def test_a_counter_made_beside_an_old_stock_does_not_vouch_for_it(rig):
    # given a disk from before there was a counter, with its stock, and no counter yet
    with sqlite3.connect(rig.folder(VICTIM) / "signer.db") as db:
        db.execute("UPDATE spend SET counter = NULL")
    counter(rig).unlink()
    for party in (VICTIM, PARTNER, THIRD):
        rig.start(party)
    async with coordinator(rig, wait=False) as to:
        await until(lambda: (status := to.status()[VICTIM]) is not None and not status.held)
        assert to.status()[VICTIM].stock == (0, 0, 0)
        assert "never counted" in to.status()[VICTIM].burnt


async def test_a_second_copy_of_a_running_signer_costs_it_the_stock_and_nothing_else(rig):
    for party in (VICTIM, PARTNER, THIRD):
        rig.start(party)
    async with coordinator(rig) as to:
        await to.keygen()
        # given a running signer, and a copy of it that advanced the counter: a clone, or its own later life
        thief = Thief(rig)
        content = counter(rig).read_bytes()
        counter(rig).write_bytes(content[:-3] + b"77\n")
        # when it signs
        with pytest.raises(SdtError) as refused:
            await thief.take_part(to, Line().batch(1))
        # then it finds that it is not alone, and burns its stock before a part leaves
        assert refused.value.code in ("stock_held", "presignature_not_bound")
        await until(lambda: to.status()[VICTIM].stock == (0, 0, 0))


async def test_a_peer_cannot_make_a_location_burn_its_stock(rig):
    # given a peer that answers with counts that the victim never signed
    for party in (VICTIM, PARTNER, THIRD):
        rig.start(party, lie="mark" if party == PARTNER else "")
    async with coordinator(rig) as to:
        line = Line()
        for _ in range(3):
            await sign(to, batch := line.batch(1))
            line.settled(batch)
        assert not to.status()[VICTIM].burnt
        assert sum(to.status()[VICTIM].stock) > 300


def test_a_count_of_one_location_is_no_count_of_another(tmp_path):
    assert len({mark_digest(n, p, c) for n in ("a", "b") for p in (1, 2) for c in (0, 1)}) == 8


INDEXES = "SELECT name, sql FROM sqlite_master WHERE tbl_name = 'presignature' AND type = 'index' ORDER BY name"


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_database_of_before_is_brought_up_to_date(tmp_path, version):
    # given a signer's database as earlier versions made it
    path = tmp_path / "signer.db"
    Store(path).close()
    with sqlite3.connect(path) as db:
        today = db.execute(INDEXES).fetchall()
        db.executescript(
            "DROP TABLE line_memory;"
            "DROP INDEX presignature_ready;"
            "CREATE INDEX presignature_stock ON presignature (low, high, state);"
            "CREATE INDEX presignature_hash ON presignature (tx_hash) WHERE tx_hash IS NOT NULL;"
        )
        if version < 3:
            db.executescript("DROP TABLE spend; DROP TABLE peer_spend;")
        if version == 1:
            db.execute("DROP TABLE abandoned_job")
        db.execute(f"PRAGMA user_version = {version}")
    # when it is opened, then it counts from nothing and has the indexes of today
    store = Store(path)
    assert store.db.execute(INDEXES).fetchall() == today
    assert store.db.execute("SELECT count, counter FROM spend").fetchall() == [(0, None)]
    store.close()
