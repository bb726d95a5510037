"""Clients of Amazon's services: the one place that makes them, with time limits and retries that do not hide an outage.

Credentials come from the environment or the machine's role, never from settings.
Source: boto3, "Retries" (standard mode); AWS SDKs and Tools Reference Guide, "Service-specific endpoints".
"""

from __future__ import annotations

from typing import Any, Final

from sdt.config.model import Aws

__all__ = ["client"]

CONNECT_S: Final = 5
ATTEMPTS: Final = 4


def client(service: str, aws: Aws, *, read_s: float = 30, connections: int = 10) -> Any:
    """Return a boto3 client; one may be shared by threads, and connects at its first call.

    Units: `read_s` must outlast the longest poll; `connections` is how many calls go at once.
    """
    # Half of what boto3 costs to import is spent here only by a process that uses it.
    import boto3
    from botocore.config import Config

    return boto3.session.Session(region_name=aws.region).client(
        service,
        endpoint_url=aws.endpoint(service) or None,
        config=Config(
            connect_timeout=CONNECT_S,
            read_timeout=read_s,
            max_pool_connections=connections,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            parameter_validation=False,
        ),
    )
