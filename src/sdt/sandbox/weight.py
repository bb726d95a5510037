"""What a bar counts for: fine weight, rounded down, and never more than its form's list weight."""

from __future__ import annotations

from typing import Final

from sdt.domain.errors import Unprocessable
from sdt.domain.money import GRAM_NG, TROY_OUNCE_NG

KILOBAR_LIST_NG: Final = 999_914_600_000
"""The 32.148 troy ounces at which the trade settles a kilobar."""

_FORMS: Final = {
    "kilobar": (KILOBAR_LIST_NG, 995 * GRAM_NG, 1_005 * GRAM_NG),
    "100_oz": (100 * TROY_OUNCE_NG, 95 * TROY_OUNCE_NG, 105 * TROY_OUNCE_NG),
}


def fine_ng(form: str, gross_ng: int, fineness: int) -> int:
    """Return the fine weight of a bar.

    Units: nanograms; `fineness` in parts per ten thousand.
    Errors: Unprocessable for a bar too light or too heavy for its form.
    Source: LBMA, "Weighing, packing and delivery of kilobars".
    """
    fine = gross_ng * fineness // 10_000
    if form not in _FORMS:
        return fine
    list_ng, low, high = _FORMS[form]
    if not low <= gross_ng <= high:
        raise Unprocessable(f"A {form} does not weigh that much.", code="form_weight")
    return min(fine, list_ng)
