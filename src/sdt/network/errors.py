"""What can go wrong with a network of nodes."""

from __future__ import annotations

from sdt.domain.errors import Unavailable

__all__ = ["NetworkFailed"]


class NetworkFailed(Unavailable):
    """A node could not be started, or the network does not go on."""

    code = "network_failed"
