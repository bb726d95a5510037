"""What is wrong with a configuration, said so that it can be put right."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from sdt.domain.errors import Invalid

__all__ = ["ConfigurationInvalid", "did_you_mean", "nearest"]


class ConfigurationInvalid(Invalid):
    """The configuration names something that does not exist, or a value of the wrong form."""

    code = "configuration_invalid"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like a mistyped one, or None when nothing is near."""
    matches = get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


def did_you_mean(guess: str | None, known: Iterable[str]) -> str:
    """Return the second half of a refusal: the nearest right name, or all of them."""
    if guess is not None:
        return f"did you mean {guess}?"
    return f"known here: {', '.join(sorted(known)) or 'nothing'}"
