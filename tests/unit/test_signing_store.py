"""A signer's store: seals, bindings, the line of batches."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import sqlite3
from dataclasses import replace

import pytest

from sdt.domain.batch import GENESIS_HEAD, leaf, merkle_root, next_head
from sdt.domain.errors import Conflict, Invalid, NotFound, RateLimited
from sdt.domain.transaction_id import id_bytes, uuid7
from sdt.signing import lineage, spending, stock
from sdt.signing.curve import multiply_base
from sdt.signing.job_wire import JobRow
from sdt.signing.lineage import Lineage, LineBatch, UnknownParent
from sdt.signing.seal import BoxSealer, SealBroken, new_seal_key
from sdt.signing.store import LOG_BYTES, Store
from sdt.signing.wire import BatchIds

LIFE_MS = 7 * 86_400_000
NOW_MS = 1_900_000_000_000


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path / "signer.db")
    yield opened
    opened.close()


@pytest.fixture
def sealer():
    return BoxSealer(new_seal_key())


# Seals


def test_a_seal_opens_only_with_its_key_and_its_label(sealer):
    sealed = sealer.seal(b"one", b"secret")
    assert sealer.unseal(b"one", sealed) == b"secret"
    assert b"secret" not in sealed
    for other, label, data in (
        (sealer, b"two", sealed),
        (BoxSealer(new_seal_key()), b"one", sealed),
        (sealer, b"one", sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (sealer, b"one", b""),
    ):
        with pytest.raises(SealBroken):
            other.unseal(label, data)


def test_a_seal_key_that_others_may_read_is_refused(tmp_path):
    path = tmp_path / "seal.key"
    path.write_bytes(new_seal_key())
    path.chmod(0o640)
    with pytest.raises(SealBroken):
        BoxSealer.from_file(path)
    path.chmod(0o600)
    BoxSealer.from_file(path)


# Presignatures


def rows(count, point=None):
    made = []
    for index in range(count):
        k = point or multiply_base(1 + secrets.randbelow(2**200))
        g = multiply_base(3)
        made.append(JobRow(index, k, bytes(32), (g, g, g), (g, g, g), b"\xaa" * 30 + os.urandom(34)))
    return made


def keep(store, sealer, job, made, pair=(1, 2)):
    with store.write() as db:
        stock.start_batch(db, job, 1, pair, 0)
        stock.keep_pending(db, sealer, job, pair, made, stock.row_digests(made))


def binding(name: bytes, nonce=0):
    return stock.Binding(hashlib.sha256(name).digest(), 7, 1, nonce)


def test_a_presignature_serves_one_hash_and_leaves_no_share(store, sealer, tmp_path):
    job, made = b"j" * 16, rows(3)
    keep(store, sealer, job, made)
    # given a batch that is not certified, nothing can be bound
    with store.write() as db, pytest.raises(NotFound):
        stock.bind(db, job, 0, binding(b"a"), 1, 0)
    with store.write() as db:
        stock.promote(db, job, b"certificate")
        # when it is bound, the same again is the same, and another hash or a stranger is refused
        one = stock.bind(db, job, 0, binding(b"a"), 1, 0)
        assert stock.bind(db, job, 0, binding(b"a"), 1, 0) == one
    for wrong in (binding(b"b"), binding(b"a", nonce=1)):
        with store.write() as db, pytest.raises(Conflict):
            stock.bind(db, job, 0, wrong, 1, 0)
    with store.write() as db, pytest.raises(NotFound):
        stock.bind(db, job, 1, binding(b"b"), 3, 0)
    # and when it is spent, the share is gone and the part stands in its place
    with store.write() as db:
        part = stock.spend(db, sealer, job, 0, stock.spendable(db, job, 0))
        assert stock.spendable(db, job, 0).part == part
        [sealed] = db.execute("SELECT sealed FROM presignature WHERE idx = 0").fetchone()
    assert sealed is None
    assert stock.counts(store.db) == (2, 0, 0)


def test_no_planted_byte_of_a_spent_share_stays_on_the_disk(store, sealer, tmp_path):
    job, made = b"j" * 16, rows(1)
    keep(store, sealer, job, made)
    sealed = bytes(store.db.execute("SELECT sealed FROM presignature").fetchone()[0])
    with store.write() as db:
        stock.promote(db, job, b"c")
        stock.bind(db, job, 0, binding(b"a"), 1, 0)
    with store.write() as db:
        stock.spend(db, sealer, job, 0, stock.spendable(db, job, 0))
    store.checkpoint()
    # nor in copies made by SQLite's own means
    copy = sqlite3.connect(tmp_path / "signer.db.copy")
    store.db.backup(copy)
    copy.close()
    store.db.execute("VACUUM INTO ?", (str(tmp_path / "signer.db.vacuumed"),))
    disk = b"".join(path.read_bytes() for path in tmp_path.glob("signer.db*"))
    for secret in (made[0].secret, made[0].secret[:32], made[0].secret[32:], sealed, sealed[24:56]):
        assert secret not in disk


# The write-ahead log, laid out with zeros


def crashed(tmp_path, cut=None):
    """Return a store as it opens after a loss of power: database and log, the log cut at some byte."""
    other = tmp_path / f"crashed-{cut}"
    other.mkdir()
    (other / "signer.db").write_bytes((tmp_path / "signer.db").read_bytes())
    (other / "signer.db-wal").write_bytes((tmp_path / "signer.db-wal").read_bytes()[:cut])
    return Store(other / "signer.db")


def steps_in(opened):
    """Return how many steps a store knows, once it proves to be whole."""
    assert opened.db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    try:
        return opened.db.execute("SELECT count FROM spend").fetchone()[0]
    finally:
        opened.close()


def test_a_log_of_zeros_holds_what_was_committed_and_nothing_of_before(store, tmp_path):
    log = tmp_path / "signer.db-wal"
    for _ in range(3):
        # given a log that was emptied
        store.checkpoint()
        assert set(log.read_bytes()) == {0} and log.stat().st_size == LOG_BYTES
        before = store.db.execute("SELECT count FROM spend").fetchone()[0]
        # when steps are taken, some waited for on disk and some not, and the power goes
        for step in range(6):
            with store.write(durable=step % 2 == 0) as db:
                spending.step(db)
        # then all of them are there; of a log that was cut, some, and never fewer than before it was emptied
        assert steps_in(crashed(tmp_path)) == before + 6
        seen = [steps_in(crashed(tmp_path, cut)) for cut in (0, 31, 32, 1000, 4152, 4153, 9000, 20_000, LOG_BYTES - 1)]
        assert seen == sorted(seen) and seen[0] == before and seen[-1] == before + 6
        for folder in tmp_path.glob("crashed-*"):
            shutil.rmtree(folder)


def test_a_release_is_in_the_log_before_it_is_answered_and_a_binding_on_the_disk(store):
    levels = []
    store.db.set_trace_callback(lambda sql: levels.append(sql) if "synchronous" in sql or sql == "COMMIT" else None)
    with store.write(durable=False):
        pass
    with store.write():
        pass
    assert levels == ["PRAGMA synchronous = NORMAL", "COMMIT", "PRAGMA synchronous = FULL", "COMMIT"]
    with pytest.raises(ZeroDivisionError), store.write(durable=False):
        raise ZeroDivisionError
    assert store.db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_nonce_that_comes_twice_burns_the_batch(store, sealer):
    point = multiply_base(5)
    keep(store, sealer, b"j" * 16, rows(1, point))
    with pytest.raises(Conflict) as refused:
        keep(store, sealer, b"k" * 16, rows(1, point))
    assert refused.value.code == "repeated_nonce"
    with store.write() as db, pytest.raises(Conflict):
        stock.start_batch(db, b"j" * 16, 1, (1, 2), 0)


def test_hash_and_nonce_use_up_a_bounded_number(store, sealer):
    job = b"j" * 16
    keep(store, sealer, job, rows(20))
    with store.write() as db:
        stock.promote(db, job, b"c")
        for index in range(3):
            stock.bind(db, job, index, binding(b"same"), 1, 1000)
        with pytest.raises(RateLimited):
            stock.bind(db, job, 3, binding(b"same"), 1, 1000)
        for index in range(3, 8):
            stock.bind(db, job, index, binding(b"%d" % index), 1, 1000)
        with pytest.raises(RateLimited) as refused:
            stock.bind(db, job, 8, binding(b"more"), 1, 1000)
        assert refused.value.code == "nonce_exhausted"
        # a while later there is more for an honest coordinator that was unlucky
        stock.bind(db, job, 8, binding(b"more"), 1, 1000 + stock.NONCE_PERIOD_S + 1)


def test_what_a_crash_left_half_used_is_burnt(store, sealer):
    job = b"j" * 16
    keep(store, sealer, job, rows(2))
    with store.write() as db:
        stock.promote(db, job, b"c")
        stock.bind(db, job, 0, binding(b"a"), 1, 0)
        assert stock.burn_unfinished(db) == 1
        with pytest.raises(Conflict):
            stock.spendable(db, job, 0)
        with pytest.raises(Conflict):
            stock.bind(db, job, 0, binding(b"a"), 1, 0)
    assert stock.counts(store.db) == (1, 0, 0)


# The line of batches


def message(at_ms=NOW_MS):
    return id_bytes(uuid7(at_ms, secrets.token_bytes(10))), secrets.token_bytes(32)


def batch(parent=GENESIS_HEAD, number=1, messages=None):
    messages = messages or (message(), message())
    root = merkle_root([leaf(i, *each) for i, each in enumerate(messages)])
    return LineBatch(next_head(parent, number, root), number, parent, tuple(messages))


def shown(of):
    return BatchIds(of.number, of.parent, b"".join(i for i, _ in of.messages), b"".join(d for _, d in of.messages))


async def no_peer(head):
    raise UnknownParent("nobody knows")


def keep_line(store, *batches):
    with store.write() as db:
        for each in batches:
            lineage.record(db, each)


async def test_a_message_is_used_on_its_line_and_free_on_another(store):
    # given two batches that race for number 2, and one after each
    first = batch()
    won, lost = batch(first.head, 2), batch(first.head, 2)
    keep_line(store, first, won, lost)
    line = Lineage(store, LIFE_MS)
    ids = [id_ for each in (first, won, lost) for id_, _ in each.messages]
    # then on the winner's line the loser's messages are free, and the other way about
    assert line.used_on_line(won.head, ids) == {id_ for each in (first, won) for id_, _ in each.messages}
    assert line.used_on_line(lost.head, ids) == {id_ for each in (first, lost) for id_, _ in each.messages}
    assert line.used_on_line(GENESIS_HEAD, ids) == set()


async def test_what_is_missing_is_fetched_and_believed_only_when_it_fits_its_head(store):
    first = batch()
    second = batch(first.head, 2)
    known = {each.head: each for each in (first, second)}
    line, asked = Lineage(store, LIFE_MS), []

    async def fetch(head):
        asked.append(head)
        return lineage.read_shown(head, shown(known[head]))

    await line.complete(second.head, 3, NOW_MS, fetch)
    assert asked == [second.head, first.head]
    assert line.used_on_line(second.head, [first.messages[0][0]]) == {first.messages[0][0]}
    await line.complete(second.head, 3, NOW_MS, no_peer)
    # a parent nobody knows, and accounts that do not fit
    with pytest.raises(UnknownParent):
        await line.complete(b"\1" * 32, 1, NOW_MS, no_peer)
    truth = shown(second)
    for wrong in (
        BatchIds(3, truth.parent, truth.ids, truth.digests),
        BatchIds(2, bytes(32), truth.ids, truth.digests),
        BatchIds(2, truth.parent, truth.ids[:16], truth.digests[:32]),
        BatchIds(2, truth.parent, truth.ids[16:] + truth.ids[:16], truth.digests),
        BatchIds(2, truth.parent, truth.ids, truth.digests[:-1]),
        BatchIds(2, truth.parent, b"", b""),
    ):
        with pytest.raises(Invalid):
            lineage.read_shown(second.head, wrong)


async def test_a_line_whose_numbers_do_not_fit_is_refused(store):
    # given a peer that makes up a batch before the first, so that the line might go on for ever
    made_up = batch(parent=b"\2" * 32, number=7)
    after = batch(made_up.head, 2)
    known = {each.head: each for each in (made_up, after)}

    async def fetch(head):
        return lineage.read_shown(head, shown(known[head]))

    line = Lineage(store, LIFE_MS)
    with pytest.raises(Invalid) as refused:
        await line.complete(after.head, 3, NOW_MS, fetch)
    assert refused.value.code == "bad_line"
    # nor is a number that does not come after its parent's
    for parent, number in ((GENESIS_HEAD, 2), (after.head, 9)):
        with pytest.raises(Invalid) as refused:
            await line.complete(parent, number, NOW_MS, fetch)
        assert refused.value.code == "batch_number"


async def test_a_location_that_missed_much_goes_on_where_it_stopped(store, monkeypatch):
    # given a line longer than one proposal may fetch
    monkeypatch.setattr(lineage, "FETCHES_MAX", 3)
    known, head = {}, GENESIS_HEAD
    for number in range(1, 6):
        made = batch(head, number)
        known[made.head], head = made, made.head
    asked = []

    async def fetch(wanted):
        asked.append(wanted)
        return known[wanted]

    line = Lineage(store, LIFE_MS)
    with pytest.raises(UnknownParent):
        await line.complete(head, 6, NOW_MS, fetch)
    await line.complete(head, 6, NOW_MS, fetch)
    # then each batch was fetched once
    assert len(asked) == len(set(asked)) == 5


async def test_messages_that_a_wrong_clock_forgot_are_fetched_again(store):
    # given a young batch whose messages were forgotten by a clock that ran three weeks ahead
    first = batch()
    second = batch(first.head, 2)
    keep_line(store, first, second)
    with store.write() as db:
        lineage.prune(db, NOW_MS + 22 * 86_400_000 - 3 * LIFE_MS)
    known = {first.head: first, second.head: second}
    asked = []

    async def fetch(wanted):
        asked.append(wanted)
        return known[wanted]

    # when the clock is right again and the line is walked
    line = Lineage(store, LIFE_MS)
    await line.complete(second.head, 3, NOW_MS, fetch)
    # then a replay of its payments is seen
    assert set(asked) == set(known)
    assert line.used_on_line(second.head, [first.messages[0][0]]) == {first.messages[0][0]}


def test_a_peers_account_of_a_batch_is_no_longer_than_a_batch(store):
    long = batch(messages=[message() for _ in range(501)])
    with pytest.raises(Invalid):
        lineage.read_shown(long.head, shown(long))


async def test_the_walk_back_ends_where_every_message_is_over(store):
    # given a batch whose oldest message is two lives old, on a parent that nobody remembers
    old = batch(parent=b"\2" * 32, number=9, messages=[message(NOW_MS - 2 * LIFE_MS - 1)])
    keep_line(store, old)
    await Lineage(store, LIFE_MS).complete(old.head, 10, NOW_MS, no_peer)
    young = batch(parent=b"\2" * 32, number=9, messages=[message(NOW_MS - 2 * LIFE_MS + 60_000)])
    keep_line(store, young)
    with pytest.raises(UnknownParent):
        await Lineage(store, LIFE_MS).complete(young.head, 10, NOW_MS, no_peer)


async def test_forgotten_messages_leave_their_place_on_the_line(store):
    old = batch(messages=[message(NOW_MS - 3 * LIFE_MS)])
    new = batch(old.head, 2)
    keep_line(store, old, new)
    with store.write() as db:
        assert lineage.prune(db, NOW_MS - 2 * LIFE_MS) == 1
    assert lineage.show(store.db, old.head) is None
    await Lineage(store, LIFE_MS).complete(new.head, 3, NOW_MS, no_peer)


def test_what_may_change_the_registry_is_known_along_the_line(store):
    # given a line of a value batch, an administrative one, a value one, and one that only a peer told of
    one = replace(batch(), administers=False)
    two = replace(batch(one.head, 2), administers=True)
    three = replace(batch(two.head, 3), administers=False)
    four = batch(three.head, 4)
    keep_line(store, one, two, three, four)
    line = Lineage(store, LIFE_MS)
    # then what comes after the administrative batch waits for it, and after one of unknown kind too
    assert not line.may_administer_after(one.head, 0)
    assert line.may_administer_after(three.head, 1)
    assert not line.may_administer_after(three.head, 2)
    assert line.may_administer_after(four.head, 3)
    assert line.may_administer_after(b"\3" * 32, 3)
    # until it is known what kind it is
    keep_line(store, replace(four, administers=False))
    assert not line.may_administer_after(four.head, 3)
