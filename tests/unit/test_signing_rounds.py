"""One attempt at a signature, by locations that lie in ways that fit together: nobody honest is named for it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from nacl.signing import SigningKey

from sdt.domain.errors import Conflict, Forbidden, SdtError, Unavailable
from sdt.signing.link import LinkLost
from sdt.signing.locations import Remote
from sdt.signing.rounds import Attempt, Rounds
from sdt.signing.transcript import Intent, PublicPresignature, StockStatement, sign
from sdt.signing.wire import (
    BatchProposal,
    Certificate,
    Entry,
    MessageRefusal,
    MessagesRefused,
    Propose,
    Proposed,
    Row,
    ShowCertificate,
    StatusAnswer,
)
from sdt.signing.work import Work

KEYS = {party: SigningKey.generate() for party in (1, 2, 3)}
PUBLIC, TX_HASH, JOB = b"\1" * 64, b"h" * 32, b"j" * 16
ROW = Row(0, b"p" * 64, b"w" * 32, (b"a" * 64,) * 3, (b"b" * 64,) * 3)
ROW_DIGEST = PublicPresignature(0, ROW.point, ROW.opened, ROW.a, ROW.b).digest()
BATCH = BatchProposal(1, bytes(32), "value", 0, 0, 0, ())
CHAIN_ID = 4242


class Location:
    """Answers a proposal with a promise over its own terms; a liar calls its partner's promise bad."""

    def __init__(
        self, party: int, chain_id: int = CHAIN_ID, epoch: int = 1, *, lies: bool = False, tx_hash: bytes = TX_HASH
    ) -> None:
        self.tx_hash = tx_hash
        self.party, self.chain_id, self.epoch, self.lies, self.caught = party, chain_id, epoch, lies, ""
        self.status: StatusAnswer | None = StatusAnswer(
            party, "test", epoch, PUBLIC, b"x" * 20, (1, 1, 1), chain_id, 5, 0, 0.0
        )

    async def call(self, operation: Any, timeout_s: float) -> Proposed:
        if isinstance(operation, Propose):
            words = Intent("test", self.chain_id, PUBLIC, self.epoch, 1, JOB, 0, ROW.point, (1, 2), self.tx_hash, 0)
            return Proposed(self.chain_id, self.epoch, self.tx_hash, sign(KEYS[self.party], words.digest()), ROW)
        raise Forbidden("My partner promised something else.", code="bad_intent")


async def attempt(
    locations: list[Location], chain_id: int = CHAIN_ID, tx_hash: bytes = TX_HASH, batch: BatchProposal = BATCH
) -> Attempt:
    remotes: dict[int, Remote] = {location.party: location for location in locations}  # type: ignore[misc]
    rounds = Rounds(remotes, {party: key.verify_key for party, key in KEYS.items()}, "test", lambda: PUBLIC)
    made = Attempt((1, 2), JOB, 0, batch, tx_hash, chain_id=chain_id)
    await rounds.run(made)
    return made


@pytest.mark.parametrize("liar", [1, 2])
@pytest.mark.parametrize("third_saw", [0, CHAIN_ID])
async def test_who_names_another_chain_is_caught_whatever_the_third_has_seen(liar: int, third_saw: int) -> None:
    # given a liar whose promise, status and error all fit one false chain id
    pair = [Location(p, chain_id=1 if p == liar else CHAIN_ID, lies=p == liar) for p in (1, 2)]
    made = await attempt([*pair, Location(3, chain_id=third_saw)])
    assert list(made.caught) == [liar]


@pytest.mark.parametrize("liar", [1, 2])
async def test_of_an_epoch_the_third_decides_and_without_it_nobody_is_named(liar: int) -> None:
    pair = [Location(p, epoch=9 if p == liar else 1, lies=p == liar) for p in (1, 2)]
    assert list((await attempt([*pair, Location(3)])).caught) == [liar]
    away = Location(3)
    away.status = None
    made = await attempt([*pair, away])
    assert not made.caught
    assert {error.code for error in made.errors.values()} == {"terms_differ"}


async def test_one_location_that_differs_from_its_caller_alone_is_not_named() -> None:
    # given a caller whose rebuilt transaction is another, and only one location that answers
    class Gone(Location):
        async def call(self, operation: Any, timeout_s: float) -> Proposed:
            raise LinkLost("away")

    made = await attempt([Location(1), Gone(2), Location(3)], tx_hash=b"H" * 32)
    assert not made.caught
    assert made.errors[1].code == "hash_mismatch"
    # but where its partner agrees with the caller, it is
    both = await attempt([Location(1), Location(2, tx_hash=b"H" * 32), Location(3)], tx_hash=b"H" * 32)
    assert list(both.caught) == [1]


@pytest.mark.parametrize("answer", [Row, Proposed, Certificate])
def test_a_number_that_does_not_fit_what_is_hashed_is_no_answer(answer: Any) -> None:
    whole = {
        Row: ROW,
        Proposed: Proposed(1, 1, TX_HASH, b"", ROW),
        Certificate: Certificate(1, PUBLIC, (b"1", b"2", b"3"), (1, 2), b"", ()),
    }[answer]
    field = {Row: 0, Proposed: "epoch", Certificate: "epoch"}[answer]
    for number in (-1, 2**63):
        as_sent = msgspec.to_builtins(whole, builtin_types=(bytes,))
        as_sent[field] = number
        with pytest.raises(msgspec.ValidationError):
            msgspec.msgpack.decode(msgspec.msgpack.encode(as_sent), type=answer)


@pytest.mark.parametrize("pair", [(-1, 2), (1, 2**63)])
def test_a_pair_that_no_number_fits_is_no_answer(pair: tuple[int, int]) -> None:
    as_sent = msgspec.to_builtins(Certificate(1, PUBLIC, (b"1", b"2", b"3"), pair, b"", ()), builtin_types=(bytes,))
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(as_sent), type=Certificate)


@pytest.mark.parametrize("pair", [(1, 3), (-1, 2)])
async def test_who_shows_another_row_and_a_certificate_of_another_pair_is_caught(pair: tuple[int, int]) -> None:
    """A certificate that cannot even be hashed is no reason to end whoever asked for it."""
    honest = Certificate(1, PUBLIC, (b"1" * 64, b"2" * 64, b"3" * 64), (1, 2), ROW_DIGEST, ())
    statement = StockStatement("test", 1, JOB, PUBLIC, honest.shares, honest.pair, honest.rows).digest()
    honest = replace(honest, signatures=tuple(sign(KEYS[party], statement) for party in (1, 2, 3)))

    class Certified(Location):
        async def call(self, operation: Any, timeout_s: float) -> Any:
            if isinstance(operation, ShowCertificate):
                return replace(honest, pair=pair) if self.lies else honest
            answer = await super().call(operation, timeout_s)
            return replace(answer, row=replace(ROW, opened=b"v" * 32)) if self.lies else answer

    made = await attempt([Certified(1), Certified(2, lies=True), Certified(3)])
    assert list(made.caught) == [2]


@pytest.mark.parametrize(
    "refusals",
    [
        (),
        (MessageRefusal(9999, "used", "Used."),),
        (MessageRefusal(1, "used", "Used."),),
        (MessageRefusal(0, "<b>", "Used."),),
        (MessageRefusal(0, "used", "x" * 100_000),),
        (MessageRefusal(0, "used", "Used.", {"rule": "x" * 100_000}),),
    ],
)
async def test_who_refuses_what_was_not_proposed_or_in_no_words_is_caught(refusals: tuple[MessageRefusal, ...]) -> None:
    class Refusing(Location):
        async def call(self, operation: Any, timeout_s: float) -> Any:
            return MessagesRefused(refusals)

    made = await attempt([Location(1), Refusing(2), Location(3)], batch=replace(BATCH, entries=(Entry(b"m"),)))
    assert list(made.caught) == [2] and not made.refusals


def refused(*parties: int) -> Attempt:
    made = Attempt((1, 2), JOB, 0, BATCH, TX_HASH)
    made.refusals = {party: (MessageRefusal(0, "used", "Used."),) for party in parties}
    return made


def test_what_a_third_location_could_not_say_is_remembered_until_it_says_it() -> None:
    work = Work()
    work.learn(refused(2))
    behind = Attempt((1, 3), JOB, 1, BATCH, TX_HASH)
    behind.errors = {3: Unavailable("I am behind.", code="registry_behind")}
    work.learn(behind)
    assert work.refused_by(1) and not work.refused_by(2) and list(work.behind) == [3]
    # one that is away says nothing, and one that answered has said its word
    away = Attempt((1, 3), JOB, 2, BATCH, TX_HASH)
    away.errors = {3: LinkLost("away")}
    work.learn(away)
    assert not work.behind


def burnt() -> SdtError:
    return Conflict("That presignature is burnt.", code="presignature_burnt")


def test_who_denies_what_it_lists_twice_is_avoided_and_its_partner_is_not() -> None:
    work = Work()
    for _ in range(2):
        assert 1 not in work.avoid
        failed = Attempt((1, 2), JOB, 0, BATCH, TX_HASH)
        failed.errors = {1: burnt()}
        work.learn(failed)
    assert work.avoid == {1}
