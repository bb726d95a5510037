"""Clients of Amazon's services: the one place that makes them, with time limits and retries that do not hide an outage.

Credentials come from the environment or the machine's role, never from settings.
Source: boto3, "Retries" (standard mode); AWS SDKs and Tools Reference Guide, "Service-specific endpoints".
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from sdt.config.model import Aws
from sdt.domain.errors import Unavailable

__all__ = ["AwsRefused", "AwsUnreachable", "call", "client"]

CONNECT_S: Final = 5
ATTEMPTS: Final = 4
_BUSY: Final = frozenset({"RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException"})


class AwsRefused(Unavailable):
    """A service refuses a call. `aws_code` is its word for why; whoever called says what that means."""

    code = "aws_refused"

    def __init__(self, service: str, operation: str, aws_code: str) -> None:
        super().__init__(f"{service} refuses {operation}: {aws_code}")
        self.aws_code = aws_code


class AwsUnreachable(Unavailable):
    """A service does not answer, fails, or has had too many calls, after all attempts: trying later helps."""

    code = "aws_unreachable"


def client(service: str, aws: Aws, *, read_s: float = 30, connections: int = 10, once: bool = False) -> Any:
    """Return a client of boto3's core; one may be shared by threads, and connects at its first call.

    Units: `read_s` must outlast the longest poll; `connections` is how many calls go at once. What describes the
    service stays in memory, megabytes of it, unless the client is for `once`.
    """
    # What it costs to import is spent here only by a process that uses it.
    from botocore.config import Config
    from botocore.session import Session

    # A session each: its credentials are asked for anew. What boto3 adds would take half as much again, for nothing.
    session = Session()
    session.register_component("data_loader", _loader() if once else _kept_loader())
    return session.create_client(
        service,
        region_name=aws.region,
        endpoint_url=aws.endpoint(service) or None,
        config=Config(
            connect_timeout=CONNECT_S,
            read_timeout=read_s,
            max_pool_connections=connections,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            parameter_validation=False,
        ),
    )


def _loader() -> Any:
    """Return what reads the descriptions of services, and keeps them."""
    from botocore.loaders import Loader

    return Loader()


_kept_loader: Final = lru_cache(maxsize=1)(_loader)
"""One that all clients of a process share."""


def call(asked: Any, operation: str, **arguments: Any) -> Any:
    """Make one call of a client. No error of the client library leaves here: it may hold what was sent.

    Errors: AwsRefused, AwsUnreachable.
    """
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

    service = asked.meta.service_model.service_id
    failed: Unavailable
    try:
        return getattr(asked, operation)(**arguments)
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _BUSY or error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
            failed = AwsUnreachable(f"{service}: {code}")
        else:
            failed = AwsRefused(service, operation, code)
    except (NoCredentialsError, PartialCredentialsError):
        failed = AwsRefused(service, operation, "there are no credentials")
    except BotoCoreError as error:
        failed = AwsUnreachable(f"{service} does not answer: {type(error).__name__}")
    raise failed
