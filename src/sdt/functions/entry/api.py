"""The API behind API Gateway: `sdt.functions.entry.api.handler`."""

from sdt.functions.opening import open_api

__all__ = ["handler"]

handler = open_api().handler
