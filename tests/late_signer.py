"""A real signer whose clock is off: `python tests/late_signer.py SECONDS --home DIR`."""

from __future__ import annotations

import sys
import time

off_s = float(sys.argv.pop(1))
true_time = time.time
time.time = lambda: true_time() + off_s

from sdt.signing import signer  # noqa: E402  (after the clock)

signer.main()
