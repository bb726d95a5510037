"""Everybody behind an account held against a list: by name and by address, each hit with who is meant and why."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from sdt.domain.sanctions.index import Hit, Index
from sdt.domain.sanctions.names import words_of
from sdt.domain.sanctions.subjects import COUNTRY, Found, Subject

__all__ = ["search"]


def search(index: Index, subjects: Iterable[Subject], threshold: int) -> tuple[Found, ...]:
    """Return who may be meant, subject by subject. Units: threshold 0 to 100, of names; addresses have their own."""
    found = []
    for subject in subjects:
        if not words_of(subject.name):
            found.append(_unreadable(subject))
        hits = (*index.search(subject.name, threshold), *index.search_address(subject.street, subject.city, COUNTRY))
        found += [_found(subject, hit) for hit in hits]
    return tuple(found)


def _unreadable(subject: Subject) -> Found:
    """A name of which nothing is left to compare may be anybody's."""
    return Found(
        role=subject.role,
        subject=subject.name,
        source="own",
        uid="unreadable",
        entry_digest=hashlib.sha256(b"unreadable").hexdigest(),
        listed_name="anybody on the list",
        matched="",
        kind="",
        programs="",
        by="a name without words",
        score=100,
        reasons=("nothing of it can be compared",),
        share_ppm=subject.share_ppm,
        mark=subject.mark,
    )


def _found(subject: Subject, hit: Hit) -> Found:
    return Found(
        role=subject.role,
        subject=subject.name,
        source="own",
        uid=str(hit.listed.uid),
        entry_digest=hit.listed.digest.hex(),
        listed_name=hit.listed.name,
        matched=hit.name,
        kind=hit.listed.kind,
        programs=hit.listed.programs,
        by=hit.by,
        score=hit.score,
        reasons=hit.reasons,
        share_ppm=subject.share_ppm,
        mark=subject.mark,
    )
