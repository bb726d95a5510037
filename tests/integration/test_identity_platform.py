"""People on a whole running platform: what officers decided is attested on chain, what has ended counts no more, and
what was known of anybody is nowhere in the clear, in no process's files, logs or databases.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from sdt.cli import users
from sdt.client import ApiProblem
from sdt.demo.acts import link_bank, pay
from sdt.demo.people import Actor, actor, sign_up
from sdt.desk.desk import client_of
from sdt.domain.message import format_time
from sdt.local.platform import Platform, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PERSON: dict[str, Any] = {
    "given_name": "Markgiven",
    "family_name": "Markfamily",
    "born_on": "1971-03-09",
    "address": {"street": "77 Markstreet", "city": "Markcity", "state": "TX", "postal_code": "79999"},
    "ssn_last4": "8642",
    "email": "marked@markmail.example",
}
BUSINESS: dict[str, Any] = {
    "legal_name": "Marklegal Holdings",
    "kind": "llc",
    "ein_last4": "4711",
    "formed_in": "TX",
    "address": PERSON["address"],
    "control": PERSON,
    "owners": [{"person": PERSON | {"given_name": "Markowner"}, "share_ppm": "1000000"}],
    "certified": True,
}
MARKS = (
    "Markgiven", "Markfamily", "Markstreet", "Markcity", "markmail", "1971-03-09", "Marklegal", "Markowner",
    "000778899222", "Markholder", "MARKPAPER",
)  # fmt: skip


def _actor(platform: Platform, home: Path, name: str) -> Actor:
    return actor(home, platform.network, name)


async def _check(who: Actor) -> Any:
    return await who.client.get("/v1/users/me/identity")


async def _until(who: Actor, domains: set[str]) -> Any:
    async with asyncio.timeout(60):
        while True:
            check = await _check(who)
            if {one["domain"] for one in check["established"]} >= domains:
                return check
            await asyncio.sleep(0.2)


async def _roles(who: Actor) -> list[str]:
    """Return what the keys of an account may do; none while the API has not read the new key yet."""
    try:
        return [key["role"] for key in (await who.client.get("/v1/users/me/keys"))["keys"]]
    except ApiProblem:
        return []


async def _decide(platform: Platform, who: Actor) -> None:
    """Two officers decide; the kyc officer may not be the second one too."""
    kyc = client_of(platform.settings, platform.region, "kyc")
    second = client_of(platform.settings, platform.region, "compliance")
    try:
        tasks = await second.get("/v1/office/cases", kind="kyc")
        assert [case["account"] for case in tasks["cases"]] == [who.account]
        application = tasks["cases"][0]["facts"]["application"]
        looked = await kyc.get(f"/v1/office/identities/{who.account}")
        act = await kyc.act(
            "decide_identity",
            {
                "account": who.account, "application": application, "decision": "pass", "tier": 2, "resident": True,
                "seen": looked["seen"], "evidence": "ab" * 32, "reason": "Seen in person, with passport.",
                "expires_at": format_time(int(time.time()) + 86_400),
            },
        )  # fmt: skip
        assert act["status"] == "waiting"
        with pytest.raises(ApiProblem) as refused:
            await kyc.act("agree", {"digest": act["digest"]})
        assert refused.value.code == "same_officer"
        await second.act("agree", {"digest": act["digest"]})
    finally:
        await kyc.close()
        await second.close()


async def _pays(giver: Actor, taker: Actor) -> Any:
    """Send a cent; returns the transaction once it has ended."""
    transaction_id = await pay(giver, taker, "TXD", 1)
    return await giver.client.wait(transaction_id, until=("completed", "rejected", "held"))


async def test_people_on_a_running_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDT_SANDBOX__BANKING_DAY_S", "0.2")
    monkeypatch.setenv("SDT_ENV", "test")
    home = tmp_path / "home"
    async with running(home) as platform:
        # Given somebody identified for a minute, a resident of another State, a business and a case in review
        short = _actor(platform, home, "short")
        user = await sign_up(short, PERSON | {"born_on": "1999-12-31"})
        assert {one["domain"] for one in user["identities"]} == {"dollar", "cash"}
        ends_s = time.time() + 61
        elsewhere = _actor(platform, home, "elsewhere")
        user = await sign_up(elsewhere, PERSON | {"address": PERSON["address"] | {"state": "OK"}})
        assert {one["domain"] for one in user["identities"]} == {"dollar"}
        shop = _actor(platform, home, "shop")
        user = await sign_up(shop, business=BUSINESS)
        assert (user["party"], len(user["identities"])) == ("business", 2)
        await link_bank(shop, "000778899222", "Markholder")
        # a clerk of the business has a key of their own, that reads and pays nothing
        added = await users._key(home, "shop", "clerk", "viewer", "", 30)
        assert added["status"] in ("settled", "completed")
        clerk = _actor(platform, home, "clerk")
        async with asyncio.timeout(30):
            while "viewer" not in await _roles(clerk):
                await asyncio.sleep(0.2)
        with pytest.raises(ApiProblem) as refused:
            await pay(clerk, short, "TXD", 1)
        assert refused.value.code == "wrong_scope"
        review = _actor(platform, home, "review")
        user = await sign_up(review, PERSON | {"family_name": "REVIEW"})
        assert (user["kyc_status"], user["identities"]) == ("review", [])

        # When two officers decide, then the desk attests it: it checked their signatures and roles on chain
        await _decide(platform, review)
        check = await _until(review, {"dollar", "cash"})
        assert [one["tier"] for one in check["established"]] == [2, 2]

        # When a document is asked for and handed in, then it is settled too
        papers = _actor(platform, home, "papers")
        await sign_up(papers, PERSON | {"family_name": "DOCS"})
        await papers.client.request(
            "POST", "/v1/users/me/identity/documents", data=b"%PDF-1.7 MARKPAPER", media="application/pdf",
            query={"kind": "identity", "subject": "holder"}, prove=True,
        )  # fmt: skip
        await _until(papers, {"dollar", "cash"})

        # When an identity has ended, then its holder is told and payments to it are refused by the rule
        await asyncio.sleep(max(0.0, ends_s - time.time()))
        check = await _check(short)
        assert (check["status"], check["next"]) == ("expired", "renew")
        found = await _pays(shop, short)
        assert (found["status"], found["code"]) == ("rejected", "identity")
        # and renewed, it counts again
        answer = await short.client.request("POST", "/v1/users/me/identity/renewals", json={}, prove=True)
        assert answer["status"] == "pending"
        async with asyncio.timeout(60):
            while (await _pays(shop, short))["code"] == "identity":
                await asyncio.sleep(0.5)
        assert (await _pays(shop, short))["code"] == "insufficient_funds"
        for who in (short, elsewhere, shop, clerk, review, papers):
            await who.client.close()

    # Then nothing personal is in the clear in anything that any process wrote
    files = [file for file in home.rglob("*") if file.is_file()]
    assert len(files) > 20
    texts = {file: file.read_bytes() for file in files}
    found_in = {mark: [f.name for f, text in texts.items() if mark.encode() in text] for mark in MARKS}
    assert not any(found_in.values()), found_in
    assert any(short.account.encode() in text for text in texts.values()), "the test would see what is written"
