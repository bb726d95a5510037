"""What the worker's metrics say of each vendor."""

from __future__ import annotations

import pytest

from sdt.adapters.vendor.breaker import BreakerState
from sdt.adapters.vendor.mapped import VendorHealth
from sdt.observing.figures import Figures
from sdt.worker.samples import vendor_samples


@pytest.mark.parametrize("state", BreakerState)
def test_exactly_the_state_it_stands_in_is_1(state: BreakerState) -> None:
    found = vendor_samples([VendorHealth("kyc", "acme", state, {"ok": 3, "vendor_fault": 1})])
    lines = [line for line in Figures().page(found).decode().splitlines() if not line.startswith("#")]

    ones = [line for line in lines if line.startswith("sdt_vendor_breaker") and line.endswith(" 1")]
    assert ones == [f'sdt_vendor_breaker{{kind="kyc",vendor="acme",state="{state.value}"}} 1']
    assert len(lines) == len(BreakerState) + 2
    assert 'sdt_vendor_calls_total{kind="kyc",vendor="acme",outcome="vendor_fault"} 1' in lines
