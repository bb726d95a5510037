"""Checks over a whole batch's messages: minting under reserve and allowance, reserve numbers, single use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sdt.domain.adjustment import used_by
from sdt.domain.items import minter_of
from sdt.domain.message import Adjust, Fund, Issue, Message, Release, Signed
from sdt.domain.region import Region
from sdt.domain.transaction_id import id_bytes
from sdt.signing.chain_view import ChainView, Reserve, View
from sdt.signing.registry import Registry
from sdt.signing.wire import MessageRefusal


async def check_minting(
    messages: Sequence[Signed], region: Region, chain: ChainView, view: View, now_s: int
) -> list[MessageRefusal]:
    """Refuse issues and re-mints beyond the reserve's headroom, the day's allowance or the issuer's own.

    It counts down through the batch.

    The contract checks the same again, with the mints of batches still on their way.
    Errors: Unavailable when the node does not answer.
    """
    refusals: list[MessageRefusal] = []
    minted: dict[int, int] = defaultdict(int)
    minted_by: dict[tuple[int, str], int] = defaultdict(int)
    reserves: dict[tuple[int, str], Reserve] = {}
    for position, signed in enumerate(messages):
        if not mints(signed.message):
            continue
        token, units = region.token_index[signed.message.token], int(signed.message.amount)
        minter = minter_of(signed.kid)
        if (token, minter) not in reserves:
            reserves[token, minter] = await chain.reserve(view.contracts, token, minter)
        reserve = reserves[token, minter]
        minted[token] += units
        minted_by[token, minter] += units
        if reserve.valid_until_s <= now_s:
            refusals.append(MessageRefusal(position, "attestation_stale", "The reserve's attestation has run out."))
        elif minted[token] > reserve.headroom:
            refusals.append(MessageRefusal(position, "over_reserve", "More would be minted than the reserve holds."))
        elif minted[token] > reserve.allowance_left:
            refusals.append(MessageRefusal(position, "mint_allowance_spent", "The day's mint allowance is spent."))
        elif minted_by[token, minter] > reserve.minter_left:
            refusals.append(
                MessageRefusal(position, "mint_allowance_spent", "This issuer's own allowance is spent for its period.")
            )
    return refusals


def mints(message: Message) -> bool:
    """Return whether a message makes new tokens."""
    return isinstance(message, Issue) or (isinstance(message, Adjust) and message.kind == "remint")


def check_sequences(messages: Sequence[Signed], region: Region, registry: Registry) -> list[MessageRefusal]:
    """Refuse a fund or release whose number is not the next one of its token."""
    refusals: list[MessageRefusal] = []
    expected: dict[int, int] = {}
    for position, signed in enumerate(messages):
        if not isinstance(signed.message, Fund | Release):
            continue
        token = region.token_index[signed.message.token]
        following = expected.get(token, registry.sequence(token) + 1)
        if signed.message.sequence != following:
            refusals.append(
                MessageRefusal(
                    position, "bad_sequence", f"The next number is {following}, not {signed.message.sequence}."
                )
            )
        else:
            expected[token] = following + 1
    return refusals


def used_up(messages: Sequence[Signed]) -> tuple[tuple[int, bytes], ...]:
    """Return by position what each message uses up for ever: a deposit, its evidence, an original with its evidence."""
    found: list[tuple[int, bytes]] = []
    for position, signed in enumerate(messages):
        if isinstance(signed.message, Issue):
            found.append((position, b"deposit" + id_bytes(signed.message.deposit)))
            found.append((position, b"evidence" + bytes.fromhex(signed.message.evidence)))
        elif isinstance(signed.message, Adjust):
            found += [(position, what) for what in used_by(signed.message)]
    return tuple(found)
