"""Officers sign messages for the chain by command: claims checked and shown first, nothing sent without a yes, and
nobody approves their own. How they settle is `test_demo`'s.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from api_platform import Holder, Platform, platform
from command_rig import Commands

from sdt.api import desk
from sdt.cli import office_messages
from sdt.cli.officers import read_claims
from sdt.domain.envelope import message_digest, seal_envelope
from sdt.domain.errors import SdtError
from sdt.domain.message import read_message
from sdt.domain.registry import Role
from sdt.domain.transaction import Event
from sdt.store import transactions
from sdt.store.transactions import Change

pytestmark = pytest.mark.slow

ORDER = ("account=0x" + "aa" * 20, "token=TXD", "order=C-26-1", "authority=District Court")
FREEZE = ("freeze", *ORDER, "expires_at=2033-05-18T00:00:00Z")
ROLES = {
    "compliance": Role.COMPLIANCE_OFFICER,
    "approver": Role.APPROVER,
    "administrator-1": Role.ADMINISTRATOR,
    "administrator-2": Role.ADMINISTRATOR,
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Platform]:
    async with platform(tmp_path) as running:
        yield running


@pytest.fixture
async def officers(api: Platform) -> dict[str, Holder]:
    return {name: await api.settle(Holder(name, roles=role)) for name, role in ROLES.items()}


@pytest.fixture
def sdt(api: Platform, officers: dict[str, Holder], monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(api, officers, monkeypatch)


def code_of(result: Any) -> str:
    assert isinstance(result.exception, SdtError), (result.output, result.exception)
    assert result.exit_code == 1
    return result.exception.code


def sent(api: Platform) -> int:
    return int(api.store.row("SELECT count(*) FROM transactions")[0])


NOT_WELL_FORMED = [
    (FREEZE[:-1], "claims"),
    ((*FREEZE, "amount=5"), "claims"),
    ((*FREEZE, "token=TXG"), "claims"),
    ((*FREEZE, "network=sdt-live"), "claims"),
    (("freeze", *ORDER, "expires_at=2033-02-30T00:00:00Z"), "time"),
    (("freeze", "account=alice.tx", *ORDER[1:], "expires_at=2033-05-18T00:00:00Z"), "claims"),
    (("seize", *ORDER, "amount=0", "to=0x" + "bb" * 20), "amount"),
    (("fund", "token=TXD", "amount=5", "sequence=1", "evidence=" + "00" * 32), "claims"),
    (("pause", "token=XXX", "reason=assay"), "unknown_token"),
    (("transfer", *ORDER), "unknown_type"),
    (("clear_match", *ORDER), "unknown_type"),
    (("approve", "digest=" + "00" * 32), "claims"),
]


@pytest.mark.usefixtures("sdt")
async def test_what_is_not_well_formed_is_never_signed(api: Platform) -> None:
    for (kind, *words), code in NOT_WELL_FORMED:
        with pytest.raises(SdtError) as refused:
            await office_messages._sign(Path(), "compliance", kind, read_claims(words), yes=True)
        assert refused.value.code == code, words
    assert sent(api) == 0


async def test_what_is_signed_is_shown_and_only_a_yes_sends_it(
    api: Platform, sdt: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an officer who reads what is to be signed, and thinks better of it
    seize = ("seize", *ORDER, "amount=7050", "to=0x" + "bb" * 20)
    result = await sdt("office", "sign", *seize, typed="n\n")
    # Then nothing was signed, and it said what would have been
    assert code_of(result) == "not_confirmed"
    assert "amount: 70.50 USD" in result.stderr
    assert '"order": "C-26-1"' in result.stderr
    assert sent(api) == 0
    result = await sdt("office", "sign", "pause", "token=", "reason=assay", typed="n\n")
    assert "token: every token of the region" in result.stderr
    # When the same is confirmed, then exactly what was shown is sent
    monkeypatch.setattr("sdt.cli.office_messages.TIMEOUT_S", 0)
    result = await sdt("office", "sign", *FREEZE, typed="y\n")
    assert code_of(result) == "still_waiting", "nobody settles here"
    (raw,) = api.store.row("SELECT raw FROM transactions")
    shown = result.stderr[: result.stderr.index("}") + 1]
    assert json.loads(shown)["transaction_id"] == read_message(bytes(raw)).message.transaction_id
    assert read_message(bytes(raw)).message.order == "C-26-1"


async def test_a_wrong_officer_is_refused_by_the_platform(api: Platform, sdt: Commands) -> None:
    result = await sdt("office", "sign", *FREEZE, "--as", "approver", "--yes")
    assert code_of(result) == "wrong_role"
    assert sent(api) == 0


async def held(api: Platform, by: Holder) -> tuple[str, bytes]:
    """A `resume` that waits for the other administrator."""
    (id_,) = await api.ids()
    raw = seal_envelope("resume", api.claims("resume", id_) | {"token": "TXG", "reason": "assay"}, by.key)
    assert (await api.put(id_, raw))[0] == 202
    change = Change(id_, Event.HOLD, code="approval_required")
    await api.store.run(lambda store: transactions.move(store, [change], actor="test", at_ms=api.clock.now_ms()))
    return id_, raw


async def test_a_second_officer_reads_and_approves_and_never_their_own(
    api: Platform, sdt: Commands, officers: dict[str, Holder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdt.cli.office_messages.TIMEOUT_S", 0)
    id_, raw = await held(api, officers["administrator-1"])
    digest = message_digest(raw).hex()
    # Given a message that waits: everybody who may approve sees it
    assert [one["transaction_id"] for one in await sdt.json("office", "waiting")] == [id_]
    # then its maker cannot approve it, whatever they answer
    result = await sdt("office", "approve", id_, "--as", "administrator-1", "--yes")
    assert code_of(result) == "same_officer"
    # nor does anybody approve without a yes, or what does not wait
    result = await sdt("office", "approve", id_, "--as", "administrator-2", typed="n\n")
    assert code_of(result) == "not_confirmed"
    other = id_[:-1] + ("0" if id_[-1] != "0" else "1")
    assert code_of(await sdt("office", "approve", other, "--yes")) == "nothing_to_approve"
    assert sent(api) == 1
    # When the other administrator has read it, whose it is and its digest, and says yes
    result = await sdt("office", "approve", id_, "--as", "administrator-2", typed="y\n")
    for part in ('"reason": "assay"', officers["administrator-1"].kid, digest):
        assert part in result.stderr
    # then what is signed is that digest
    assert code_of(result) == "still_waiting", "nobody settles here"
    (approval,) = api.store.row("SELECT raw FROM transactions WHERE type = 'approve'")
    signed = read_message(bytes(approval))
    assert (signed.message.digest, signed.kid) == (digest, officers["administrator-2"].kid)


async def test_another_message_in_its_place_is_not_approved(
    api: Platform, sdt: Commands, officers: dict[str, Holder], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a platform that shows one message under the id of another
    _, raw = await held(api, officers["administrator-1"])
    (other,) = await api.ids()
    task = {"kind": "approval", "transaction_id": other, "message": raw.decode()}
    monkeypatch.setattr(desk, "_to_approve", lambda store: [task])
    # then the second officer signs nothing
    result = await sdt("office", "approve", other, "--as", "administrator-2", "--yes")
    assert code_of(result) == "approval_mismatch"
    assert sent(api) == 1
