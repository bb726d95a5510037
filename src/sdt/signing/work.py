"""What the attempts at signing one batch taught: whom to avoid, who refused which message, who cheated.

The coordinator asks it which locations are left, and when a refusal counts.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from sdt.domain.errors import SdtError
from sdt.signing.link import LinkLost
from sdt.signing.rounds import Attempt
from sdt.signing.wire import MessageRefusal

ABOUT_THE_PRESIGNATURE: Final = frozenset(
    {"unknown_presignature", "presignature_bound", "presignature_burnt", "presignature_not_bound"}
)
"""Errors after which another presignature of the same pair may do."""

_log = logging.getLogger("sdt.signing.coordinator")


@dataclass
class Work:
    """All attempts at one batch, each taken in when it has failed."""

    avoid: set[int] = field(default_factory=set)
    refusals: dict[int, dict[int, MessageRefusal]] = field(default_factory=dict)
    """Position -> party -> refusal."""
    culprits: list[int] = field(default_factory=list)
    denied: Counter[int] = field(default_factory=Counter)
    last: SdtError | None = None
    behind: dict[int, Attempt] = field(default_factory=dict)
    """By location: its last attempt, if it gave an error in place of a word about the messages, itself at hand."""

    def learn(self, attempt: Attempt) -> None:
        """Take in a failed attempt.

        Errors: what both locations gave as an error, when it is about the batch and not about who answers.
        """
        for party in attempt.pair:
            error = attempt.errors.get(party)
            if error is None or party in attempt.caught or isinstance(error, LinkLost):
                self.behind.pop(party, None)
            else:
                self.behind[party] = attempt
        for party, refusals in attempt.refusals.items():
            self.avoid.add(party)
            for refusal in refusals:
                self.refusals.setdefault(refusal.position, {})[party] = refusal
        for party, error in attempt.errors.items():
            self.last = error
            if error.code in ABOUT_THE_PRESIGNATURE:
                # Once is a list out of date. A location that denies what it has just listed would use up what its
                # partner may bind for this batch.
                self.denied[party] += 1
            if error.code not in ABOUT_THE_PRESIGNATURE or self.denied[party] > 1:
                self.avoid.add(party)
        if len(attempt.errors) == 2 and not any(isinstance(each, LinkLost) for each in attempt.errors.values()):
            first = next(iter(attempt.errors.values()))
            if first.code not in ABOUT_THE_PRESIGNATURE:
                raise first

    def refused_by(self, parties: int) -> tuple[MessageRefusal, ...]:
        """Return, in order, the messages that at least so many locations refuse."""
        return tuple(next(iter(by.values())) for _, by in sorted(self.refusals.items()) if len(by) >= parties)

    def note_lone_refusers(self) -> None:
        """Say who refused a message that the others then signed."""
        for position, by in self.refusals.items():
            for party, refusal in by.items():
                _log.warning(
                    "Location %d alone refused message %d (%s): the others signed it.", party, position, refusal.code
                )
