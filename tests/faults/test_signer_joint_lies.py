"""A location that deviates inside a joint job: nothing comes of it, and nobody can be named for it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

import ports
from sdt.signing.job_wire import JobFailed, JobKey, JobSpec, JobStock, answer_decoder, encode
from sdt.signing.pki import Authority

pytestmark = pytest.mark.slow

LIAR = 2
COUNT = 3
LYING_JOB = Path(__file__).parents[1] / "lying_job.py"  # not imported: MPyC would change this process


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    home, now = tmp_path_factory.mktemp("pki"), datetime.now(UTC)
    authority = Authority.open(home / "authority", now)
    return {party: authority.issue(party, home / str(party), now) for party in (1, 2, 3)}


def run(files, lie="", **terms):
    """Run one job at three locations, the second one lying; return the three answers."""
    addresses = [("127.0.0.1", ports.free_port()) for _ in range(3)]
    running = []
    for party in (1, 2, 3):
        mine = {name: value[party - 1] if isinstance(value, list) else value for name, value in terms.items()}
        spec = JobSpec(
            job=b"j" * 16,
            network="test",
            epoch=1,
            party=party,
            addresses=addresses,
            certificate=files[party].certificate,
            key=files[party].key,
            authority=files[party].authority,
            **{"deadline_s": 15, **mine},
        )
        program = [str(LYING_JOB), lie] if lie and party == LIAR else ["-m", "sdt.signing.job"]
        process = subprocess.Popen(
            [sys.executable, *program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        frame = encode(spec)
        process.stdin.write(len(frame).to_bytes(4, "big") + frame)
        process.stdin.flush()
        running.append(process)
    answers = []
    for process in running:
        size = int.from_bytes(process.stdout.read(4), "big")
        answers.append(answer_decoder.decode(process.stdout.read(size)))
        process.wait(20)
        process.stdin.close()
        process.stdout.close()
    return answers


@pytest.fixture(scope="module")
def key(files):
    """Return an honest key: the three locations' answers."""
    answers = run(files, kind="key")
    assert all(isinstance(answer, JobKey) for answer in answers)
    assert len({(answer.public, answer.points) for answer in answers}) == 1
    return answers


def honest(answers):
    return [answer for party, answer in enumerate(answers, 1) if party != LIAR]


@pytest.mark.parametrize("lie", ["dealing", "degree", "opening", "echo", "split_commitments", "copy", "choose"])
def test_a_lie_in_key_generation_makes_no_key(files, lie):
    for answer in honest(run(files, lie, kind="key")):
        assert isinstance(answer, JobFailed)
        assert answer.code in ("joint_check_failed", "peer_lost")


@pytest.mark.parametrize("lie", ["flood", "long"])
def test_a_peer_cannot_make_a_job_hold_what_nothing_asks_for(files, lie):
    for answer in honest(run(files, lie, kind="key")):
        assert isinstance(answer, JobFailed)
        assert answer.code == "peer_lost"


@pytest.mark.parametrize("kind", ["key", "stock"])
def test_a_dealer_that_is_late_ends_the_job_at_its_deadline(files, key, kind):
    # when a location stays silent in the middle of a job
    terms = {"kind": "key"} if kind == "key" else terms_of(key)
    # then the others give it up when its time is over, and keep nothing
    for answer in honest(run(files, "late", **{**terms, "deadline_s": 3})):
        assert isinstance(answer, JobFailed)
        assert answer.code in ("deadline", "peer_lost")


def test_locations_that_were_told_of_different_pairs_make_nothing(files, key):
    # given a coordinator that starts one job for the pair (1, 2) at one location, and for (1, 3) at the others
    terms = terms_of(key)
    for answer in run(files, pair=[(1, 2), (1, 3), (1, 3)], **{k: v for k, v in terms.items() if k != "pair"}):
        assert isinstance(answer, JobFailed)
        assert answer.code in ("joint_check_failed", "peer_lost")


def terms_of(key):
    return {
        "kind": "stock",
        "pair": (1, 2),
        "count": COUNT,
        "secret": [answer.secret for answer in key],
        "public": key[0].public,
    }


@pytest.mark.parametrize("lie", ["product", "degree", "opened", "nonce", "inverse", "short"])
def test_a_lie_in_presigning_makes_no_presignature(files, key, lie):
    for answer in honest(run(files, lie, **terms_of(key))):
        assert isinstance(answer, JobFailed)
        assert answer.code in ("joint_check_failed", "peer_lost")


def test_telling_two_locations_different_things_leaves_no_three_that_agree(files, key):
    # when the liar shows party 3 other points than party 1
    first, _, third = run(files, "equivocation", **terms_of(key))
    # then party 3 refuses, whatever party 1 saw: no certificate of three comes about
    assert isinstance(third, JobFailed)
    assert isinstance(first, JobStock | JobFailed)


def test_opening_another_point_to_one_location_leaves_no_three_that_agree(files):
    _, _, third = run(files, "split_openings", kind="key")
    assert isinstance(third, JobFailed)


def test_an_honest_job_gives_shares_to_the_pair_and_none_to_the_third(files, key):
    answers = run(files, **terms_of(key))
    assert [[len(row.secret) for row in answer.rows] for answer in answers] == [[64] * 3, [64] * 3, [0] * 3]
    assert len({tuple((r.point, r.opened, r.a, r.b) for r in answer.rows) for answer in answers}) == 1
