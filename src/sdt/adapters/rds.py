"""Tokens in place of a database password: RDS lets in whoever signed for it, for fifteen minutes from then.

Source: Amazon RDS User Guide, "IAM database authentication".
"""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from sdt.adapters.aws import client
from sdt.config.model import Aws

__all__ = ["auth_token"]

PORT = 5432


def auth_token(aws: Aws, url: str) -> str:
    """Return a token for the host, port and user of `postgresql://user@host:port/name`, signed now and here.

    Nobody is asked, and it is told to the database alone. It is needed while a connection is made, not after.
    """
    address = urlsplit(url)
    assert address.hostname and address.username, "settings were checked for both"
    token: str = client("rds", aws).generate_db_auth_token(
        DBHostname=address.hostname, Port=address.port or PORT, DBUsername=unquote(address.username), Region=aws.region
    )
    return token
