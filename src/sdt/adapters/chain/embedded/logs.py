"""eth_getLogs: the index names the blocks that may hold a match, their receipts are then sifted."""

from __future__ import annotations

from typing import Any

from sdt.adapters.chain.embedded import parameters, present
from sdt.adapters.chain.embedded.chain import Chain
from sdt.adapters.chain.embedded.errors import RpcError, invalid_params
from sdt.adapters.chain.embedded.store import Log

__all__ = ["find_logs"]

_RESULTS_MAX = 20_000
_WANTED_MAX = 200


def find_logs(chain: Chain, wanted: dict[str, Any], first: int, last: int) -> list[object]:
    """Return the logs of blocks `first` to `last` that match the filter's addresses and topics.

    Errors: RpcError for a filter that cannot be read, or more than 20,000 results.
    """
    addresses = _addresses(wanted.get("address"))
    topics = _topics(wanted.get("topics"))
    if first > last:
        return []
    found: list[object] = []
    topics0 = sorted(topics[0]) if topics else []
    for number in chain.store.blocks_with_logs(first, last, sorted(addresses), topics0):
        head = chain.at(number)
        index = 0
        for position, receipt in enumerate(chain.store.receipts(number)):
            for log in receipt.logs:
                if _matches(log, addresses, topics):
                    found.append(present.log_object(log, receipt, head, position, index))
                index += 1
        if len(found) > _RESULTS_MAX:
            raise RpcError(-32005, f"query returned more than {_RESULTS_MAX} results")
    return found


def _matches(log: Log, addresses: frozenset[bytes], topics: list[frozenset[bytes]]) -> bool:
    if addresses and log.address not in addresses:
        return False
    if len(topics) > len(log.topics):
        return False
    return all(not wanted or topic in wanted for wanted, topic in zip(topics, log.topics, strict=False))


def _addresses(value: Any) -> frozenset[bytes]:
    if value is None:
        return frozenset()
    listed = value if isinstance(value, list) else [value]
    if len(listed) > _WANTED_MAX:
        raise invalid_params("too many addresses")
    return frozenset(parameters.address(a) for a in listed)


def _topics(value: Any) -> list[frozenset[bytes]]:
    """Read topics by position: null (any), one, or a list of alternatives."""
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > 4:
        raise invalid_params("want at most four topics")
    found = []
    for alternatives in value:
        listed = alternatives if isinstance(alternatives, list) else [alternatives]
        if len(listed) > _WANTED_MAX:
            raise invalid_params("too many topics")
        # A null anywhere among the alternatives means any topic, as in geth.
        wild = None in listed
        found.append(frozenset() if wild else frozenset(parameters.digest(t) for t in listed))
    return found
