"""How alike two names are, from 0 to 100, and why: word by word, each with its best counterpart.

Words are paired so that the sum of likenesses is greatest; a word without counterpart costs more than a misspelled
one, and in the longer name less than in the shorter (a middle name may be left out, a family name may not be another).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

from sdt.domain.sanctions.names import Words, words_of

__all__ = ["DEFAULT_THRESHOLD", "Likeness", "likeness", "score_words", "word_likeness"]

DEFAULT_THRESHOLD: Final = 80
PAIRED: Final = 0.72
"""Less alike than this, two words are two words."""
EXTRA: Final = 0.25
"""What a word that only the longer name has weighs, against one that both have."""
INITIAL: Final = 0.85
_SOUNDS: Final = (
    *(("ph", "f"), ("kh", "h"), ("gh", "g"), ("ou", "u"), ("oo", "u"), ("ee", "i"), ("ck", "k"), ("sch", "sh")),
    *(
        ("tch", "ch"),
        ("dj", "j"),
        ("zh", "j"),
        ("ts", "z"),
        ("y", "i"),
        ("w", "v"),
        ("q", "k"),
        ("c", "k"),
        ("x", "ks"),
    ),
)
"""Spellings of one sound in the transliterations that lists mix."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """A score and its reasons, in words that a reviewer reads."""

    score: int
    reasons: tuple[str, ...]


@lru_cache(maxsize=65_536)
def _sound(word: str) -> str:
    for spelled, sound in _SOUNDS:
        word = word.replace(spelled, sound)
    return "".join(letter for n, letter in enumerate(word) if n == 0 or letter != word[n - 1])


@lru_cache(maxsize=262_144)
def word_likeness(a: str, b: str) -> float:
    """Return how alike two words are, from 0 to 1: by letters and by sound, numbers only when equal."""
    if a == b:
        return 1.0
    if a.isdigit() or b.isdigit():
        return 0.0
    if len(a) == 1 or len(b) == 1:
        return INITIAL if a[0] == b[0] else 0.0
    by_letters = _spelled(a, b)
    by_sound = _spelled(_sound(a), _sound(b))
    return max(by_letters, 0.97 * by_sound)


def _spelled(a: str, b: str) -> float:
    # Jaro-Winkler forgives much in long words that begin alike; edit distance does not.
    return (
        JaroWinkler.normalized_similarity(a, b) * 0.5 + DamerauLevenshtein.normalized_similarity(a, b) * 0.5
        if a and b
        else 0.0
    )


def likeness(a: str, b: str) -> Likeness:
    """Return how alike two names are. Units: 0 to 100."""
    return score_words(words_of(a), words_of(b))


def score_words(a: Words, b: Words) -> Likeness:
    """Return how alike two names are that were taken apart before."""
    if not a or not b:
        return Likeness(0, ("no words to compare",))
    if a == b or sorted(a) == sorted(b):
        return Likeness(100, ("every word is the same",))
    # The words themselves decide between names of one length: whose name came first must not.
    shorter, longer = sorted((a, b), key=lambda words: (len(words), sum(map(len, words)), words))
    paired, score = _by_words(shorter, longer)
    together = _spelled("".join(shorter), "".join(longer))
    reasons = [
        f"{one} is {other}" if like == 1 else f"{one} is like {other} ({round(like * 100)})"
        for one, other, like in paired
        if other
    ]
    reasons += [f"{one} has no counterpart" for one, other, _ in paired if not other]
    if together >= 0.93 and together > score:
        return Likeness(round(together * 100), (f"written together they are alike ({round(together * 100)})",))
    return Likeness(round(score * 100), tuple(reasons))


def _by_words(shorter: Words, longer: Words) -> tuple[list[tuple[str, str, float]], float]:
    """Pair the words, best first, and weigh the outcome. Shape: (word, counterpart or "", likeness)."""
    all_pairs = sorted(
        ((word_likeness(one, other), i, j) for i, one in enumerate(shorter) for j, other in enumerate(longer)),
        reverse=True,
    )
    of_shorter: dict[int, tuple[int, float]] = {}
    taken: set[int] = set()
    for like, i, j in all_pairs:
        if like < PAIRED:
            break
        if i not in of_shorter and j not in taken:
            of_shorter[i] = (j, like)
            taken.add(j)
    got = weight = 0.0
    pairs: list[tuple[str, str, float]] = []
    for i, word in enumerate(shorter):
        size = _weight(word)
        j, like = of_shorter.get(i, (-1, 0.0))
        got += size * like
        weight += size
        pairs.append((word, longer[j] if j >= 0 else "", like))
    extra = sum(_weight(word) for j, word in enumerate(longer) if j not in taken)
    # Whoever adds words without end to a listed name does not pass by that.
    weight += EXTRA * min(extra, weight)
    if len(shorter) == 1 and len(longer) > 1:
        # One word of a name is not the name.
        weight += _weight(shorter[0]) * 0.3
    return pairs, got / weight


def _weight(word: str) -> float:
    return math.sqrt(min(len(word), 8))
