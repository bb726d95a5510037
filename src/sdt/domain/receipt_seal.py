"""The block of a receipt: that its header is the one named, and who vouches for it."""

from __future__ import annotations

from collections.abc import Iterable

from sdt.domain import clique, qbft
from sdt.domain.qbft import QBFT_MIX_HASH, Header, NotSealed
from sdt.domain.receipt import Receipt
from sdt.domain.receipt_trust import Anchor, KnownBlock, Signers, Validators

__all__ = ["check_has_seals", "named_block", "vouched"]


def named_block(receipt: Receipt) -> tuple[Header, str]:
    """The header hashes to the hash that is named; a QBFT block leaves round and seals out of it."""
    header = Header.from_rlp(bytes.fromhex(receipt.block.header), bytes.fromhex(receipt.block.hash))
    made = header.hash() if _is_qbft(header) else clique.header_hash(header)
    if made != header.stated_hash:
        raise NotSealed("The header's hash is not the one stated.")
    return header, f"The header is that of block {header.number}, 0x{header.stated_hash.hex()}."


def _is_qbft(header: Header) -> bool:
    return header.field("mixHash") == QBFT_MIX_HASH


def vouched(header: Header, anchor: Anchor) -> tuple[str, str]:
    """The block's seals, against whom the reader trusts; where there is no anchor nothing is claimed."""
    if isinstance(anchor, Validators):
        return "validators", _by_validators(header, anchor)
    if isinstance(anchor, Signers):
        if _is_qbft(header):
            raise NotSealed("The block is one of a QBFT chain: no single signer seals it; name its validators.")
        sealer = clique.verify_header(header, anchor.addresses)
        return "signer", (
            f"0x{sealer.hex()}, one of the {len(anchor.addresses)} trusted signers, sealed it. That is one signer's "
            "word: a Clique block is as final as the blocks that were built on it."
        )
    if isinstance(anchor, KnownBlock):
        if anchor.hash != header.stated_hash:
            raise NotSealed(f"The block is not the trusted one, 0x{anchor.hash.hex()}.")
        return "known_block", "It is the block whose hash you trust."
    return "nothing", "UNSEALED: you named no validators and no block hash, so you trust the region's chain."


def _by_validators(header: Header, anchor: Validators) -> str:
    if not _is_qbft(header):
        raise NotSealed("The block is not one of a QBFT chain, so no validators sealed it.")
    extra = header.extra
    try:
        qbft.verify_header(header, anchor.addresses)
    except NotSealed as error:
        if frozenset(extra.validators) == anchor.addresses:
            raise
        raise NotSealed(
            f"{error.detail} The header lists {_listed(extra.validators)} as validators, you trust "
            f"{_listed(sorted(anchor.addresses))}. If the network has voted since, name the validators in force at "
            f"block {header.number} as the network publishes them; never take them from the receipt itself."
        ) from None
    return f"{len(extra.seals)} of {len(anchor.addresses)} trusted validators sealed it, in round {extra.round}."


def _listed(addresses: Iterable[bytes]) -> str:
    return ", ".join("0x" + address.hex() for address in addresses)


def check_has_seals(header: Header) -> None:
    """Refuse a QBFT header whose seals a node left out or made up, as far as that shows without a set to trust.

    The header's own list lags behind a vote by one validator, in or out, so one may be missing and one unlisted.
    Errors: Invalid, NotSealed.
    """
    if not _is_qbft(header):
        return
    listed, sealers = set(header.extra.validators), set(header.sealers())
    if len(sealers & listed) < qbft.quorum_of(len(listed)) - 1 or len(sealers - listed) > 1 or not sealers:
        raise NotSealed("The node shows the block without the seals that its validators gave it.")
