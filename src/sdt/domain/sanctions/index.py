"""A list in memory, and who on it a name may be: the words that could be meant, then the names that have them.

Comparing one name with every listed one would take a quarter of a second; the vocabulary is searched in
milliseconds, and only names that share enough of it are compared in full.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from rapidfuzz import process
from rapidfuzz.distance import JaroWinkler

from sdt.domain.sanctions.lists import Edition, Listed
from sdt.domain.sanctions.match import DEFAULT_THRESHOLD, score_words
from sdt.domain.sanctions.names import Words, words_of

__all__ = ["Hit", "Index"]

NEAR: Final = 0.8
"""Words less alike than this are not looked up for one another."""
HITS_MAX: Final = 20
CANDIDATES_MAX: Final = 400


@dataclass(frozen=True, slots=True)
class Hit:
    """Somebody listed who may be meant. Units: `score` 0 to 100."""

    listed: Listed
    name: str
    score: int
    reasons: tuple[str, ...]


class Index:
    """One edition, ready to be asked; never changed, so that many threads may ask it."""

    def __init__(self, edition: Edition) -> None:
        self.edition = edition
        self._names: list[tuple[Words, str, Listed]] = []
        self._having: dict[str, list[int]] = defaultdict(list)
        self._whole: dict[str, list[int]] = defaultdict(list)
        for entry in edition.entries.values():
            for name in entry.names:
                self._add(words_of(name), name, entry)
        self._vocabulary = list(self._having)
        self._wholes = list(self._whole)
        self._near = lru_cache(maxsize=32_768)(self._near_words)

    def _add(self, words: Words, name: str, entry: Listed) -> None:
        place = len(self._names)
        self._names.append((words, name, entry))
        for word in set(words):
            self._having[word].append(place)
        self._whole["".join(words)].append(place)

    def search(self, name: str, threshold: int = DEFAULT_THRESHOLD) -> tuple[Hit, ...]:
        """Return who may be meant, the likeliest first, each once. Units: threshold 0 to 100."""
        words = words_of(name)
        if not words:
            return ()
        best: dict[int, Hit] = {}
        for place in self._candidates(words):
            listed_words, listed_name, entry = self._names[place]
            found = score_words(words, listed_words)
            known = best.get(entry.uid)
            if found.score >= threshold and (known is None or found.score > known.score):
                best[entry.uid] = Hit(entry, listed_name, found.score, found.reasons)
        return tuple(sorted(best.values(), key=lambda hit: (-hit.score, hit.listed.uid))[:HITS_MAX])

    def _candidates(self, words: Words) -> Iterable[int]:
        """Return the places of names that share most of the words, those that share more of them first."""
        shared: dict[int, float] = defaultdict(float)
        for word in set(words):
            seen: set[int] = set()
            for near in self._near(word):
                for place in self._having[near]:
                    if place not in seen:
                        seen.add(place)
                        shared[place] += len(word)
        whole = "".join(words)
        together = process.extract(
            whole, self._wholes, scorer=JaroWinkler.normalized_similarity, score_cutoff=0.92, limit=HITS_MAX
        )
        direct = [place for text, _, _ in together for place in self._whole[text]]
        enough = max(shared.values(), default=0.0) * 0.5
        ranked = sorted((place for place, size in shared.items() if size >= enough), key=lambda p: -shared[p])
        exact = self._whole.get(whole, [])
        return dict.fromkeys([*exact, *direct, *ranked[:CANDIDATES_MAX]])

    def _near_words(self, word: str) -> tuple[str, ...]:
        found = process.extract(
            word, self._vocabulary, scorer=JaroWinkler.normalized_similarity, score_cutoff=NEAR, limit=200
        )
        return tuple(text for text, _, _ in found)
