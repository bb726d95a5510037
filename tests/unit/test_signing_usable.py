"""What is told of the stock counts for pairs of locations that can sign, and for no other."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from sdt.signing.coordinator import Coordinator
from sdt.signing.locations import Remote, load_coordinator_config
from sdt.signing.pool import Pool
from sdt.signing.wire import PAIRS, StatusAnswer
from signing_rig import NETWORK, Rig

STOCK = {(1, 2): 0, (1, 3): 900, (2, 3): 900}


@pytest.fixture
def three(tmp_path: Path) -> tuple[Coordinator, dict[int, Remote]]:
    """A coordinator that has heard of all three, and what it knows of each."""
    folder = Rig(tmp_path).home / "coordinator"
    config = load_coordinator_config(folder)
    to = Coordinator(folder, NETWORK)
    to._remotes = {each.party: Remote(each, config.tls) for each in config.locations}
    to._pool = Pool(to._remotes)
    for party, remote in to._remotes.items():
        remote._answers = True
        first, second, third = (STOCK[pair] if party in pair else 0 for pair in PAIRS)
        remote.status = StatusAnswer(party, NETWORK, 1, b"", b"", (first, second, third), 0, -1, 0, 0.0)
    return to, to._remotes


def test_all_pairs_count_while_all_three_can_sign(three: tuple[Coordinator, dict[int, Remote]]) -> None:
    to, _ = three
    assert (to.usable(), to.usable_stock()) == ((1, 2, 3), STOCK)


@pytest.mark.parametrize("why", ["away", "caught", "held"])
def test_a_pair_with_a_member_that_cannot_sign_counts_for_nothing(
    three: tuple[Coordinator, dict[int, Remote]], why: str
) -> None:
    to, remotes = three

    def stop(party: int) -> None:
        remote = remotes[party]
        if why == "away":
            remote._answers = False
        elif why == "caught":
            remote.caught = "gave a bad part"
        else:
            assert remote.status is not None
            remote.status = msgspec.structs.replace(remote.status, held="its counter does not answer")

    stop(3)
    assert (to.usable(), to.usable_stock()) == ((1, 2), {(1, 2): 0})
    assert to.stock() == STOCK
    stop(2)
    assert (to.usable(), to.usable_stock()) == ((1,), {})
