"""The vault's attestation runs out, and bars are lost while they are being redeemed: before the burn, and after it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from sdt.demo.acts import drop_off, pay, redeem
from sdt.demo.counter import fine_of, lose, own_weight_ng, put_in_place_of, stand_silent, take_in
from sdt.demo.people import Actor
from sdt.demo.scenes.officers import case_of
from sdt.demo.scenes.scene import Scene
from sdt.demo.scenes.stage import Stage
from sdt.domain.message import format_time
from sdt.local.opening import approved
from sdt.ports.depository import Bar, BarStatus

__all__ = ["SCENE"]

COUNTER: Final = "delivery:austin-1"
SILENT_S: Final = 60
SHORT_S: Final = 3
"""How long the attestation of the scene holds: long enough to settle, short enough to wait for."""


@dataclass(frozen=True, slots=True)
class _Held:
    """Gold of the scene's people. Units: nanograms."""

    supply: int
    reserve: int
    minting: str


async def play(stage: Stage) -> None:
    """Carol brings bars, the vault falls silent, and then bars get lost on their way out."""
    carol = await stage.person("Carol")
    dan = await stage.person("Dan")
    await _redeemed_in_kind(stage, carol)
    await _stale(stage, carol, dan)
    await _lost_before_burn(stage)
    await _lost_after_burn(stage)


async def _redeemed_in_kind(stage: Stage, carol: Actor) -> None:
    bar = await _bring(stage, carol)
    half = await stage.ended(carol, await redeem(carol, "TXG", bar.fine.units // 2, COUNTER))
    stage.step(
        "Carol brings in a bar and asks for half of it back in metal: only whole bars are handed over",
        expected={"status": "rejected", "code": "no_whole_bars", "Carol's gold": bar.fine.units},
        seen={"status": half["status"], "code": half.get("code"), "Carol's gold": await carol.balance("TXG")},
    )
    before = await _gold(stage)
    whole = await stage.ended(carol, await redeem(carol, "TXG", bar.fine.units, COUNTER))
    after = await _reserve(stage, before.reserve - bar.fine.units)
    stage.step(
        "She asks for all of it: the bar is locked and brought to the counter, her tokens are burnt, the bar is hers",
        expected={"status": "completed", "Carol's gold": 0, "burnt": bar.fine.units, "released": bar.fine.units},
        seen={
            "status": whole["status"],
            "Carol's gold": await carol.balance("TXG"),
            "burnt": before.supply - after.supply,
            "released": before.reserve - after.reserve,
        },
    )


async def _stale(stage: Stage, carol: Actor, dan: Actor) -> None:
    await _bring(stage, carol)
    await stand_silent(stage.settings, "TXG", SILENT_S)
    before = await _gold(stage)
    await _attest_briefly(stage)
    gross_ng = own_weight_ng()
    deposit = await drop_off(carol, "TXG", fine_of(gross_ng))
    await take_in(stage.settings, deposit, carol.account, gross_ng=gross_ng)
    stale = await stage.eventually(lambda: _gold(stage), lambda gold: gold.minting == "attestation_stale")
    refused = await _issue_by_hand(stage, carol, deposit, fine_of(gross_ng))
    paid = await stage.ended(carol, await pay(carol, dan, "TXG", 2_500_000_000))
    stage.step(
        "The vault signs no statement any more and its last attestation runs out: minting stops, payments go on",
        expected={
            "minting": "attestation_stale",
            "an issue signed all the same": "rejected, attestation_stale",
            "minted": 0,
            "Carol pays Dan 2.5 g": "completed",
        },
        seen={
            "minting": stale.minting,
            "an issue signed all the same": f"{refused['status']}, {refused.get('code')}",
            "minted": (await _gold(stage)).supply - before.supply,
            "Carol pays Dan 2.5 g": paid["status"],
        },
    )
    await stand_silent(stage.settings, "TXG", 0)
    minted = await stage.ended(carol, deposit)
    stage.step(
        "The vault signs again: its custodian attests, and what waited is minted",
        expected={"deposit": "completed", "minted": fine_of(gross_ng)},
        seen={"deposit": minted["status"], "minted": (await _gold(stage)).supply - before.supply},
    )


async def _lost_before_burn(stage: Stage) -> None:
    erin = await stage.person("Erin")
    bar = await _bring(stage, erin, slow=True)
    before = await _gold(stage)
    redemption = await redeem(erin, "TXG", bar.fine.units, COUNTER)
    held = await stage.ended(erin, redemption, until=("held",))
    await _bar_is(stage, bar, BarStatus.LOCKED)
    await lose(stage.settings, bar)
    ended = await stage.ended(erin, redemption)
    after = await _reserve(stage, before.reserve - bar.fine.units)
    stage.step(
        "Erin's bar is locked for her and found missing before it reaches the counter: nothing is burnt, minting stops",
        expected={
            "while it is fetched": "held, being_picked",
            "then": "rejected, bar_lost",
            "Erin's gold": bar.fine.units,
            "burnt": 0,
            "reserve fell by": bar.fine.units,
            "minting": "reserve_used_up",
        },
        seen={
            "while it is fetched": f"{held['status']}, {held.get('code')}",
            "then": f"{ended['status']}, {ended.get('code')}",
            "Erin's gold": await erin.balance("TXG"),
            "burnt": before.supply - after.supply,
            "reserve fell by": before.reserve - after.reserve,
            "minting": after.minting,
        },
    )
    await put_in_place_of(stage.settings, bar)
    cured = await _reserve(stage, before.reserve)
    stage.step(
        "The vault's keeper puts another bar in its place: the reserve covers the supply again",
        expected={"reserve": before.reserve, "supply": before.supply},
        seen={"reserve": cured.reserve, "supply": cured.supply},
    )


async def _lost_after_burn(stage: Stage) -> None:
    frank = await stage.person("Frank")
    bar = await _bring(stage, frank, slow=True)
    before = await _gold(stage)
    redemption = await redeem(frank, "TXG", bar.fine.units, COUNTER)
    burnt = await stage.ended(frank, redemption, until=("settled",))
    await lose(stage.settings, bar)
    after = await _reserve(stage, before.reserve - bar.fine.units)
    still = await frank.client.transaction(redemption)
    case = await case_of(stage, "delivery_owed", frank.account)
    stage.step(
        "Frank's bar is lost at the counter, after the burn: the metal is owed to him, and the supply stays covered",
        expected={
            "at the counter": "settled",
            "Frank's gold": 0,
            "burnt": bar.fine.units,
            "supply is covered": True,
            "redemption": "settled",
            "an officer's case": "open",
        },
        seen={
            "at the counter": burnt["status"],
            "Frank's gold": await frank.balance("TXG"),
            "burnt": before.supply - after.supply,
            "supply is covered": after.supply <= after.reserve,
            "redemption": still["status"],
            "an officer's case": case.get("status"),
        },
    )
    await put_in_place_of(stage.settings, bar)
    ended = await stage.ended(frank, redemption)
    stage.step(
        "The keeper's other bar goes to Frank: what was owed is handed over",
        expected={"redemption": "completed", "supply": after.supply},
        seen={"redemption": ended["status"], "supply": (await _gold(stage)).supply},
    )


async def _bring(stage: Stage, who: Actor, *, slow: bool = False) -> Bar:
    """A bar at the counter, of a weight that no other has, minted against."""
    gross_ng = own_weight_ng()
    deposit = await drop_off(who, "TXG", fine_of(gross_ng))
    bar = await take_in(stage.settings, deposit, who.account, gross_ng=gross_ng, slow=slow)
    await stage.ended(who, deposit)
    return bar


async def _bar_is(stage: Stage, bar: Bar, status: BarStatus) -> None:
    await stage.eventually(lambda: stage.vendors.depository.bar(bar.bar_id), lambda found: found.status is status)


async def _attest_briefly(stage: Stage) -> None:
    """The vault's custodian signs what it knows, for a few seconds only."""
    custodian = stage.official("vault")
    reserve = (await custodian.get("/v1/tokens/TXG", prove=False))["reserve"]
    now_s = int(time.time())
    claims = {
        "token": "TXG",
        "reserve": reserve["held"],
        "holdings": "00" * 32,
        "as_of": format_time(now_s),
        "valid_until": format_time(now_s + SHORT_S),
        "sequence": reserve["sequence"],
    }
    await custodian.wait(await custodian.submit("attest_reserve", claims), until=("completed",))


async def _issue_by_hand(stage: Stage, who: Actor, deposit: str, units: int) -> Any:
    """An issuer who does not look at the clock signs; a second officer agrees by hand, without the desk's own look.

    The signers have the last word.
    """
    issuer = stage.official("issuer")
    claims = {
        "token": "TXG",
        "account": who.account,
        "amount": str(units),
        "deposit": deposit,
        "evidence": "11" * 32,
    }
    issued = await approved(issuer, stage.official("approver"), "issue", claims)
    return await issuer.wait(issued, until=("completed",))


async def _gold(stage: Stage) -> _Held:
    report = await stage.anybody.get("/v1/tokens/TXG", prove=False)
    return _Held(int(report["supply"]), int(report["reserve"]["held"]), report["minting"])


async def _reserve(stage: Stage, units: int) -> _Held:
    """Wait until the custodian has stated what is in the vault."""
    return await stage.eventually(lambda: _gold(stage), lambda gold: gold.reserve == units)


SCENE: Final = Scene(
    name="gold-stale-and-lost",
    sentence="The vault's attestation runs out, and bars are lost while being redeemed: before the burn, and after it.",
    shows="A token is a claim on what the depository attests: without a fresh statement nothing is minted; nobody "
    "loses tokens for a bar that is not at the counter; what was burnt is owed.",
    play=play,
)
