"""How often a long-lived process looks for garbage that counting references does not find."""

from __future__ import annotations

import gc
from typing import Final

__all__ = ["settle_memory"]

YOUNG_MAX: Final = 20_000
"""Objects made, less those gone, before the young are looked through. A batch of 500 alone makes ten thousand, nearly
all of which end without being looked for; Python's own 700 suits programs that make few."""


def settle_memory(young_max: int = YOUNG_MAX, young_looks: int = 10, middle_looks: int = 20) -> None:
    """Call once everything is loaded: what is there stays and is never walked again, the rest less often.

    So many looks at the young make one at the middle-aged, and so many of those one at all.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(young_max, young_looks, middle_looks)
