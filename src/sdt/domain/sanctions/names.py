"""A name as it is compared: in Latin letters, without case, accents, titles and legal forms, in words.

Whoever is on a list is spelled in many ways; whoever is not shares words like "Trading" and "Corp." with those who are.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from anyascii import anyascii

__all__ = ["LEGAL_FORMS", "NAME_LENGTH_MAX", "Words", "words_of"]

NAME_LENGTH_MAX: Final = 400
"""More of a name is not compared: list entries are shorter."""

Words = tuple[str, ...]

_LEGAL_FORMS: Final = """
    ab ag aktiengesellschaft aktiebolag as asa bhd bv bvba co company corp corporation cv doo dba eurl fze fzco fzc
    fzllc gesellschaft gmbh holding holdings inc incorporated jsc kft kg kk limited limitada llc llp lp ltd ltda mbh
    nv ojsc ooo oao oy oyj pao pjsc plc pllc pt pte pty pvt private public sa sae sal sarl sas sdn sl sociedad societe
    spa spol sprl srl sro tbk the trust ultd unlimited ulc wll zao sp zoo
"""
LEGAL_FORMS: Final = frozenset(_LEGAL_FORMS.split())
"""Words that say what kind of company it is, and nothing of which."""
_OTHERS: Final = """
    mr mrs ms miss dr prof sir dame lord lady haji hajji hadji sheikh shaykh sheik mullah mawlawi maulavi general gen
    col colonel maj captain capt eng engineer jr sr ii iii von van de del della di da la le el al ul ad as
"""
_TITLES: Final = frozenset(_OTHERS.split())
"""Words that are left out, changed or written together with the next as the writer likes."""
_PHRASES: Final = re.compile(
    r"\b(joint stock company|limited liability company|public limited company|gesellschaft mit beschraenkter haftung|"
    r"gesellschaft mit beschrankter haftung|societatea? cu raspundere limitata|sociedad anonima|societe anonyme)\b"
)
"""Legal forms written out."""
_SPLIT: Final = re.compile(r"[^a-z0-9]+")
_JOINED: Final = re.compile(r"[.'’`´ʿʾ]")
_INITIALS: Final = re.compile(r"\b(?:[A-Za-z]\.){2,}")


def words_of(name: str) -> Words:
    """Return the words of a name by which it is compared; all of them where nothing else would be left.

    Nothing is remembered: who is screened is nobody's to find in memory later.

    Source: transliteration by AnyAscii; Unicode NFKC before it.
    """
    text = unicodedata.normalize("NFKC", name[:NAME_LENGTH_MAX])
    text = _INITIALS.sub(lambda found: found.group().replace(".", ""), text)
    text = _JOINED.sub("", text.replace("&", " and "))
    latin = _PHRASES.sub(" ", anyascii(text).lower().replace("'", ""))
    found = tuple(word for word in _SPLIT.split(latin) if word)
    kept = tuple(word for word in found if word not in LEGAL_FORMS and word not in _TITLES)
    return kept or found
