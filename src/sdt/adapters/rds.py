"""Tokens in place of a database password: RDS lets in whoever signed for it, for fifteen minutes from then.

Source: Amazon RDS User Guide, "IAM database authentication".
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote, urlsplit

from sdt.adapters.aws import AwsUnreachable
from sdt.config.model import Aws

__all__ = ["auth_token"]

PORT: Final = 5432
VALID_S: Final = 900


def auth_token(aws: Aws, url: str) -> str:
    """Return a token for the host, port and user of `postgresql://user@host:port/name`, signed now and here.

    Nobody is asked, and it is told to the database alone. It is needed while a connection is made, not after. It is
    what boto3's generate_db_auth_token returns, without the client of RDS, whose making takes ten times as long.

    Errors: AwsUnreachable while there are no credentials: the machine's role may be told late, or again soon.
    """
    # Amazon's library costs its import only where it is used.
    from botocore.exceptions import BotoCoreError
    from botocore.model import ServiceId
    from botocore.session import get_session
    from botocore.signers import RequestSigner

    address = urlsplit(url)
    assert address.hostname and address.username, "settings were checked for both"
    session, service = get_session(), "rds-db"
    emitter = session.get_component("event_emitter")
    request = {
        "url_path": "/",
        "query_string": "",
        "headers": {},
        "body": {"Action": "connect", "DBUser": unquote(address.username)},
        "url": f"https://{address.hostname}:{address.port or PORT}/",
        "method": "GET",
        "context": {},
    }
    try:
        signer = RequestSigner(ServiceId(service), aws.region, service, "v4", session.get_credentials(), emitter)
        signed: str = signer.generate_presigned_url(
            request, operation_name="connect", expires_in=VALID_S, region_name=aws.region, signing_name=service
        )
    except BotoCoreError as error:
        failed = AwsUnreachable(f"RDS: no token can be signed: {type(error).__name__}")
    else:
        return signed.removeprefix("https://")
    raise failed
