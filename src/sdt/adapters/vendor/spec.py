"""vendor.toml: every key it may have. Anything else is refused.

A folder names no secret and holds none: settings name one of the vault (`vendors.KIND.key_secret`).
Units: `_s` seconds, `_bytes` bytes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from sdt.adapters.vendor.kinds import Kind

__all__ = [
    "ApiKey",
    "Ask",
    "Auth",
    "Basic",
    "Bearer",
    "BreakerSpec",
    "Hmac",
    "Idempotency",
    "NoAuth",
    "OAuth2",
    "OperationSpec",
    "Outcome",
    "VendorSpec",
]

_FILE = r"^[a-z0-9][a-z0-9._-]{0,79}\Z"
_HEADER = r"^[A-Za-z0-9][A-Za-z0-9-]{0,63}\Z"
_PATH = r"^/[A-Za-z0-9._~{}/-]*\Z"

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}\Z")]
HeaderName = Annotated[str, Meta(pattern=_HEADER)]
HeaderValue = Annotated[str, Meta(pattern=r"^[ -~]{0,200}\Z")]
PathTemplate = Annotated[str, Meta(pattern=_PATH, max_length=300)]
MappingFile = Annotated[str, Meta(pattern=_FILE[:-2] + r"\.jmespath\Z")]
SchemaFile = Annotated[str, Meta(pattern=_FILE[:-2] + r"\.schema\.json\Z")]
SampleFile = Annotated[str, Meta(pattern=_FILE[:-2] + r"\.sample\.json\Z")]
Expression = Annotated[str, Meta(min_length=1, max_length=1000)]
Status = Annotated[str, Meta(pattern=r"^[345][0-9]{2}\Z")]
Seconds = Annotated[float, Meta(gt=0, le=300)]
Code = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}\Z")]

Outcome = Literal["refused", "not_found", "conflict", "nothing_done", "unknown", "fault"]
"""What an HTTP status means: refused for good; not there; contradicts an earlier order; not done, so try again; perhaps
done, so ask; or nobody knows, so a person must look."""


class _Strict(Struct, frozen=True, forbid_unknown_fields=True):
    pass


class NoAuth(_Strict, frozen=True, tag_field="style", tag="none"):
    """The vendor knows us by the network."""


class ApiKey(_Strict, frozen=True, tag_field="style", tag="api_key"):
    """The secret in a header of its own."""

    header: HeaderName


class Bearer(_Strict, frozen=True, tag_field="style", tag="bearer"):
    """Authorization: Bearer SECRET. Source: RFC 6750."""


class Basic(_Strict, frozen=True, tag_field="style", tag="basic"):
    """The secret is ID:SECRET. Source: RFC 7617."""


class OAuth2(_Strict, frozen=True, tag_field="style", tag="oauth2"):
    """Client credentials; the secret is ID:SECRET. The token is kept and renewed. Source: RFC 6749, section 4.4."""

    token_path: PathTemplate
    scope: Annotated[str, Meta(pattern=r"^[!-~ ]{0,200}\Z")] = ""
    client: Literal["basic", "body"] = "basic"


class Hmac(_Strict, frozen=True, tag_field="style", tag="hmac"):
    """A signature over what is sent; the secret is ID:SECRET.

    `message` names what is signed, of {method} {path} {timestamp} {body} {body_sha256}; `path` has the query.
    """

    key_header: HeaderName
    time_header: HeaderName
    signature_header: HeaderName
    message: Annotated[str, Meta(min_length=1, max_length=200)] = "{timestamp}\n{method}\n{path}\n{body}"
    hash: Literal["sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    time: Literal["unix_s", "unix_ms", "rfc3339"] = "unix_s"


Auth = NoAuth | ApiKey | Bearer | Basic | OAuth2 | Hmac


class BreakerSpec(_Strict, frozen=True):
    """After `failures` in a row nobody is asked for `open_s`; then one call tries."""

    failures: Annotated[int, Meta(ge=1, le=1000)] = 5
    open_s: Seconds = 5.0


class TraceSpec(_Strict, frozen=True):
    """What of each call is written down; a value stands in the clear only if `keep` names its path.

    Operations in `quiet` are asked all day long: written down only when they fail, they do not drive out the rest.
    Shape: paths such as `applicationId`, `lines[].sequence`; names of operations.
    """

    keep: tuple[Annotated[str, Meta(pattern=r"^[^\s.\[\]]+(\[\])*(\.[^\s.\[\]]+(\[\])*)*\Z")], ...] = ()
    quiet: tuple[str, ...] = ()
    file_bytes_max: Annotated[int, Meta(ge=10_000, le=100_000_000)] = 1_000_000
    files_max: Annotated[int, Meta(ge=1, le=100)] = 5


class Idempotency(_Strict, frozen=True):
    """Where the key of an order stands: in a header, or in a member of the body.

    `key` is the text it is made of; `form` uuid makes a UUID (version 5) of it.
    """

    header: HeaderName | None = None
    field: Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}\Z")] | None = None
    key: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]*\{key\}[A-Za-z0-9._:-]*\Z", max_length=80)] | None = None
    form: Literal["text", "uuid"] = "text"


class Ask(_Strict, frozen=True):
    """What to GET to learn what became of an order. 404, or `absent` being true, says that nothing did.

    Without mapping and schema of its own the answer has the form of the order's answer.
    """

    path: PathTemplate
    query: dict[str, Expression] = field(default_factory=dict)
    absent: Expression | None = None
    answer: MappingFile | None = None
    answer_schema: SchemaFile | None = None
    answer_sample: SampleFile | None = None


class OperationSpec(_Strict, frozen=True):
    """One operation of the kind, as this vendor does it."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: PathTemplate
    answer: MappingFile
    answer_schema: SchemaFile
    answer_sample: SampleFile
    query: dict[str, Expression] = field(default_factory=dict)
    request: MappingFile | None = None
    request_schema: SchemaFile | None = None
    idempotency: Idempotency | None = None
    ask: Ask | None = None
    errors: dict[Status, Outcome] = field(default_factory=dict)


class VendorSpec(_Strict, frozen=True):
    """The whole file."""

    kind: Kind
    name: Name
    title: Annotated[str, Meta(min_length=1, max_length=80)]
    auth: Auth
    operations: dict[str, OperationSpec]
    url: str = ""
    timeout_s: Seconds = 10.0
    attempts: Annotated[int, Meta(ge=1, le=10)] = 3
    pause_s: Seconds = 0.2
    answer_bytes_max: Annotated[int, Meta(ge=1_000, le=64_000_000)] = 8_388_608
    headers: dict[HeaderName, HeaderValue] = field(default_factory=dict)
    breaker: BreakerSpec = field(default_factory=BreakerSpec)
    trace: TraceSpec = field(default_factory=TraceSpec)
    refusal_code: Expression = "code"
    refused: Expression | None = None
    codes: dict[str, Code] = field(default_factory=dict)
    errors: dict[Status, Outcome] = field(default_factory=dict)
    tables: dict[str, dict[str, str]] = field(default_factory=dict)
