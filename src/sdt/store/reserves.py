"""What stands behind each token, as settled on chain: the last attestation, and what flowed since.

The same arithmetic as the contract's, so that the books can be compared with it.
"""

from __future__ import annotations

from typing import NamedTuple

from sdt.store.database import Store

__all__ = ["ReserveRow", "attest", "fund", "get", "release"]


class ReserveRow(NamedTuple):
    """The reserve of one token.

    Units: amounts in the token's smallest unit; times in unix seconds. `sequence` is the last flow's number;
    funded and released are what flowed after the attestation's.
    """

    token: str
    attested: int
    as_of_s: int
    valid_until_s: int
    attested_sequence: int
    sequence: int
    funded: int
    released: int

    @property
    def backing(self) -> int:
        """How much may be in supply while the attestation is fresh."""
        return max(self.attested + self.funded - self.released, 0)


def attest(store: Store, token: str, attested: int, as_of_s: int, valid_until_s: int, sequence: int) -> None:
    """Replace the attestation: what the reserve held at a time, flows up to `sequence` included."""
    with store.transaction():
        store.execute(
            "INSERT INTO reserves (token, attested, as_of_s, valid_until_s, attested_sequence) "
            "VALUES (?, ?, ?, ?, ?) ON CONFLICT (token) DO UPDATE SET attested = excluded.attested, "
            "as_of_s = excluded.as_of_s, valid_until_s = excluded.valid_until_s, "
            "attested_sequence = excluded.attested_sequence",
            (token, attested, as_of_s, valid_until_s, sequence),
        )


def fund(store: Store, token: str, units: int, sequence: int) -> None:
    """Note that value entered the reserve. Numbers follow each other without a gap (else AssertionError)."""
    _flow(store, token, sequence, units, 0)


def release(store: Store, token: str, units: int, sequence: int) -> None:
    """Note that value left the reserve. Numbers follow each other without a gap (else AssertionError)."""
    _flow(store, token, sequence, 0, units)


def _flow(store: Store, token: str, sequence: int, funded: int, released: int) -> None:
    with store.transaction():
        (last,) = store.row("SELECT coalesce(max(sequence), 0) FROM reserve_flows WHERE token = ?", (token,))
        assert sequence == last + 1, f"flow {sequence} of {token} cannot follow {last}"
        store.execute(
            "INSERT INTO reserve_flows (token, sequence, funded, released) VALUES (?, ?, ?, ?)",
            (token, sequence, funded, released),
        )


def get(store: Store, token: str) -> ReserveRow:
    """Return the reserve of a token; zeros before anything was attested."""
    attested, as_of_s, valid_until_s, included = store.row(
        "SELECT attested, as_of_s, valid_until_s, attested_sequence FROM reserves WHERE token = ?", (token,)
    ) or (0, 0, 0, 0)
    (sequence,) = store.row("SELECT coalesce(max(sequence), 0) FROM reserve_flows WHERE token = ?", (token,))
    funded, released = store.row(
        "SELECT coalesce(sum(funded), 0), coalesce(sum(released), 0) FROM reserve_flows "
        "WHERE token = ? AND sequence > ?",
        (token, included),
    )
    return ReserveRow(token, attested, as_of_s, valid_until_s, included, sequence, int(funded), int(released))
