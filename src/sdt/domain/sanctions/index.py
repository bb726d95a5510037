"""A list in memory, and who on it a name may be: the words that could be meant, then the names that have them.

Comparing one name with every listed one would take a quarter of a second; the vocabulary is searched in
milliseconds, and only names that share enough of it are compared in full.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from sys import intern
from typing import Final

from rapidfuzz import process
from rapidfuzz.distance import JaroWinkler

from sdt.domain.sanctions.addresses import ADDRESS_THRESHOLD, Place, address_likeness, place_of
from sdt.domain.sanctions.lists import Address, Edition, Listed
from sdt.domain.sanctions.match import DEFAULT_THRESHOLD, score_words
from sdt.domain.sanctions.names import Words, words_of

__all__ = ["Hit", "Index"]

NEAR: Final = 0.8
"""Words less alike than this are not looked up for one another."""
HITS_MAX: Final = 20
CANDIDATES_MAX: Final = 400
COVERED_PART: Final = 0.8
"""Of the threshold: a listed name scores no more than what of it is covered, but for words alike by sound alone."""
COVERED_MAX: Final = 150
"""More than the listed names of one word that a long name has room for: they are covered whole, and hit nobody."""

WEAK_SCORE: Final = DEFAULT_THRESHOLD
"""A weak alias, word for word, is worth a look and not more."""


@dataclass(frozen=True, slots=True)
class Hit:
    """Somebody listed who may be meant: by a name of theirs, or by an address. Units: `score` 0 to 100."""

    listed: Listed
    name: str
    score: int
    reasons: tuple[str, ...]
    by: str = "name"


class Index:
    """One edition, ready to be asked; never changed, so that many threads may ask it."""

    def __init__(self, edition: Edition) -> None:
        self.edition = edition
        self._names: list[tuple[Words, str, Listed]] = []
        self._letters: list[int] = []
        self._having: dict[str, list[int]] = defaultdict(list)
        self._whole: dict[str, list[int]] = defaultdict(list)
        self._weak: dict[Words, list[tuple[str, Listed]]] = defaultdict(list)
        self._places: dict[tuple[str, str], list[tuple[Place, Address, Listed]]] = defaultdict(list)
        for entry in edition.entries.values():
            for name in entry.names:
                self._add(words_of(name), name, entry)
            for name in entry.weak:
                self._weak[tuple(sorted(words_of(name)))].append((name, entry))
            for address in entry.addresses:
                place = place_of(address.street, address.city, address.country)
                if place is not None:
                    self._places[place.country, place.number].append((place, address, entry))
        self._vocabulary = list(self._having)
        self._wholes = list(self._whole)
        self._near = lru_cache(maxsize=32_768)(self._near_words)

    def _add(self, words: Words, name: str, entry: Listed) -> None:
        place = len(self._names)
        words = tuple(map(intern, words))
        self._names.append((words, name, entry))
        self._letters.append(sum(map(len, set(words))))
        for word in set(words):
            self._having[word].append(place)
        self._whole["".join(words)].append(place)

    def search(self, name: str, threshold: int = DEFAULT_THRESHOLD) -> tuple[Hit, ...]:
        """Return who may be meant, the likeliest first, each once. Units: threshold 0 to 100."""
        words = words_of(name)
        if not words:
            return ()
        best = self._weakly(words, threshold)
        for place in self._candidates(words, threshold):
            listed_words, listed_name, entry = self._names[place]
            found = score_words(words, listed_words)
            known = best.get(entry.uid)
            if found.score >= threshold and (known is None or found.score > known.score):
                best[entry.uid] = Hit(entry, listed_name, found.score, found.reasons)
        return _ranked(best)

    def search_address(
        self, street: str, city: str, country: str, threshold: int = ADDRESS_THRESHOLD
    ) -> tuple[Hit, ...]:
        """Return whose address it may be, the likeliest first, each once. Units: threshold 0 to 100."""
        asked = place_of(street, city, country)
        if asked is None:
            return ()
        best: dict[int, Hit] = {}
        for place, address, entry in self._places.get((asked.country, asked.number), ()):
            found = address_likeness(asked, place)
            known = best.get(entry.uid)
            if found.score >= threshold and (known is None or found.score > known.score):
                written = ", ".join(filter(None, (address.street, address.city, address.country)))
                best[entry.uid] = Hit(entry, written, found.score, found.reasons, "address")
        return _ranked(best)

    def _weakly(self, words: Words, threshold: int) -> dict[int, Hit]:
        if threshold > WEAK_SCORE:
            return {}
        return {
            entry.uid: Hit(entry, name, WEAK_SCORE, ("a weak alias, word for word",))
            for name, entry in self._weak.get(tuple(sorted(words)), ())
        }

    def _candidates(self, words: Words, threshold: int) -> Iterable[int]:
        """Return the places of names that share most of the words, and of names that the words cover for the most part.

        Of each kind those with more of it first. Words of one entry beside the name of another do not hide that name:
        what it shares is held against its own letters, and none is covered more than once.
        """
        shared: dict[int, float] = defaultdict(float)
        likest: dict[str, float] = {}
        for word in set(words):
            seen: set[int] = set()
            for near, like in self._near(word):
                likest[near] = max(like, likest.get(near, 0.0))
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
        return dict.fromkeys(
            [*exact, *direct, *ranked[:CANDIDATES_MAX], *self._covered(likest, COVERED_PART * threshold / 100)]
        )

    def _covered(self, likest: Mapping[str, float], part: float) -> list[int]:
        """Return the places of names of whose letters at least a part is asked for, the whole and longest first."""
        covered: dict[int, float] = defaultdict(float)
        for word, like in likest.items():
            for place in self._having[word]:
                covered[place] += len(word) * like
        letters = self._letters
        ranked = [(size / letters[p], letters[p], p) for p, size in covered.items() if size >= part * letters[p]]
        return [place for _, _, place in sorted(ranked, reverse=True)[:COVERED_MAX]]

    def _near_words(self, word: str) -> tuple[tuple[str, float], ...]:
        found = process.extract(
            word, self._vocabulary, scorer=JaroWinkler.normalized_similarity, score_cutoff=NEAR, limit=200
        )
        return tuple((text, like) for text, like, _ in found)


def _ranked(best: dict[int, Hit]) -> tuple[Hit, ...]:
    return tuple(sorted(best.values(), key=lambda hit: (-hit.score, hit.listed.uid))[:HITS_MAX])
