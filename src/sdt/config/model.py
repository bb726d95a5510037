"""Settings as the rest of the platform sees them: typed, complete, frozen.

Defaults stand in settings.toml alone, so every field here is required.
Units: the end of each name says them (_s, _ms, _bytes, _wei, _blocks).
"""

from __future__ import annotations

import re
from datetime import time
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sdt.config.errors import ConfigurationInvalid, did_you_mean, nearest

__all__ = [
    "Ach",
    "Api",
    "Aws",
    "Chain",
    "Database",
    "Desks",
    "Functions",
    "Logging",
    "Personal",
    "Queue",
    "Sandbox",
    "Settings",
    "Signer",
    "Signing",
    "Telemetry",
    "Vault",
    "Vendor",
    "Vendors",
    "Worker",
]


def _without_password(url: str) -> str:
    """A URL ends up in logs and process lists, so a password in it is refused."""
    if urlsplit(url).password is not None:
        raise ValueError("an address must not carry a password: put it into the vault and name it here")
    return url


def _database_url(url: str) -> str:
    if not url.startswith(("sqlite:///", "postgresql://")):
        raise ValueError("must begin with sqlite:/// or postgresql://")
    return _without_password(url)


def _http_url(url: str) -> str:
    if url and not url.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return _without_password(url)


Port = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(gt=0)]
Duration = Annotated[float, Field(gt=0)]
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
FilePath = Annotated[Path, Field(strict=False)]


class Section(BaseModel):
    """One table of the settings file: nothing unknown in it, nothing changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Database(Section):
    """The main store."""

    url: DatabaseUrl
    login: Literal["password", "iam"]
    password_secret: str
    tls: Literal["prefer", "verify-full"]
    tls_root_file: FilePath | None
    pooled: bool
    statement_timeout_s: Annotated[float, Field(ge=0)]
    lock_timeout_s: Annotated[float, Field(ge=0)]
    idle_in_transaction_s: Annotated[float, Field(ge=0)]

    @model_validator(mode="after")
    def _consistent(self) -> Database:
        if self.tls == "verify-full" and self.tls_root_file is None:
            raise ValueError("verify-full needs tls_root_file, the roots that the server must prove itself by")
        if self.login == "iam":
            address = urlsplit(self.url)
            if not (address.hostname and address.username):
                raise ValueError("login by IAM needs the user and the host in the address")
            if self.tls != "verify-full":
                raise ValueError("a token is shown to nobody but the database: login by IAM needs tls verify-full")
        return self


class Queue(Section):
    """The queue of accepted transactions."""

    backend: Literal["embedded", "sqs"]
    queue_file: FilePath
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,70}\.fifo$")]
    create: bool
    visibility_timeout_s: Duration
    receives_max: Count


class Vault(Section):
    """The secrets store: the embedded sealed file, or AWS Secrets Manager."""

    backend: Literal["sealed_file", "secrets_manager"]
    prefix: Annotated[str, Field(pattern=r"^([A-Za-z0-9_.-]+/){1,8}$", max_length=120)]
    kms_key: str
    seen_within_s: Annotated[float, Field(ge=0, le=3600)]
    sealed_file: FilePath
    key_file: FilePath
    passphrase_file: FilePath | None


_KMS_NAME = "(key|alias)/[A-Za-z0-9/_-]{1,256}"


class Personal(Section):
    """What wraps the keys of people."""

    wrapped_by: Literal["vault", "kms"]
    kms_key: Annotated[str, Field(pattern=rf"^((arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{{12}}:)?{_KMS_NAME})?$")]

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.wrapped_by == "kms" and not self.kms_key:
            raise ValueError("kms_key names the KMS key that wraps")
        return self


class Chain(Section):
    """The chain: the embedded one, or a Quorum network."""

    host: str
    port: Port
    chain_file: FilePath
    nodes: dict[str, HttpUrl]
    chain_id: Count
    finality_blocks: Count
    gas_price_wei: Annotated[int, Field(ge=0)]
    block_gas_limit: Count
    gas_in_flight_max: Count
    poll_ms: Duration
    request_timeout_s: Duration
    slow_after_s: Count
    stalled_after_s: Count

    @property
    def urls(self) -> tuple[str, ...]:
        """The JSON-RPC addresses of the nodes, in the order of their names."""
        return tuple(url for _, url in sorted(self.nodes.items()) if url)


class Signer(Section):
    """One of the three locations."""

    host: str
    port: Port
    job_port: Port
    health_port: Port
    state_folder: FilePath


class Signing(Section):
    """The stock of presignatures, and the joint jobs that make it."""

    stock_per_pair: Count
    stock_per_pair_min: Count
    job_presignatures: Count
    job_timeout_s: Duration
    ceremony_people: Annotated[int, Field(ge=1, le=2)]


class Api(Section):
    """The HTTP API and its limits."""

    served_by: Literal["uvicorn", "functions"]
    host: str
    port: Port
    url: HttpUrl
    gather_ms: Annotated[float, Field(ge=0)]
    message_bytes_max: Count
    request_bytes_max: Count
    messages_per_request_max: Count
    backlog_max: Count
    account_backlog_max: Count
    wait_s_max: Duration
    proof_age_s_max: Duration
    filer: str


class Functions(Section):
    """The platform as functions, and how many processes of each there are on one machine."""

    payload_format: Literal["2.0", "1.0"]
    timeout_s: Annotated[float, Field(ge=3, le=900)]
    memory_mb: Annotated[int, Field(ge=128, le=10_240)]
    api_processes_max: Count
    screening_processes_max: Count
    sweep_every_s: Duration


class Worker(Section):
    """Batching and settlement."""

    screening: Literal["in_process", "functions"]
    host: str
    port: Port
    batch_items_max: Annotated[int, Field(gt=0, le=500)]
    linger_ms: Annotated[float, Field(ge=0)]
    batches_in_flight_max: Count
    batch_deadline_s: Duration
    lease_s: Annotated[float, Field(ge=1, le=300)]
    prices: str


class Sandbox(Section):
    """The stand-in vendors."""

    host: str
    bank_port: Port
    kyc_port: Port
    aml_port: Port
    depository_port: Port
    banking_day_s: Duration

    def url(self, service: Literal["bank", "kyc", "aml", "depository"]) -> str:
        """Return where a service is reached on this machine."""
        return f"http://{self.host}:{getattr(self, f'{service}_port')}"


def _times(text: str) -> str:
    """Times of day, `10:15, 14:30`, in their order."""
    times = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", part) for part in times) or times != sorted(set(times)):
        raise ValueError("is a list of times of day in their order, such as '10:15, 14:30'")
    return text


class AchFolders(Section):
    """Where files lie for the bank, and where its files for us do: folders here, or paths at its SFTP server."""

    outgoing_folder: FilePath
    incoming_folder: FilePath


class AchSftp(Section):
    """The bank's SFTP server, reached by OpenSSH's client."""

    host: str
    port: Port
    user: str
    identity_file: FilePath
    known_hosts_file: FilePath
    outgoing: str
    incoming: str
    timeout_s: Duration


class Ach(Section):
    """ACH: who originates, by which cut-offs and limits, and how files travel."""

    delivery: Literal["api", "vendor_files", "folder", "sftp"]
    clock: Literal["bank", "wall"]
    poll_s: Duration
    cut_offs: Annotated[str, AfterValidator(_times)]
    lead_minutes: Annotated[int, Field(ge=0, le=240)]
    same_day: Literal["none", "debits", "credits", "all"]
    same_day_entry_cents_max: Annotated[int, Field(gt=0, le=100_000_000)]
    entry_cents_max: Annotated[int, Field(gt=0, le=9_999_999_999)]
    account_day_cents_max: Count
    file_cents_max: Annotated[int, Field(gt=0, le=999_999_999_999)]
    day_cents_max: Count
    entries_per_file_max: Annotated[int, Field(gt=0, le=200_000)]
    balanced: bool
    odfi_routing: Annotated[str, Field(pattern=r"^[0-9]{9}$")]
    odfi_name: Annotated[str, Field(min_length=1, max_length=23)]
    destination_routing: Annotated[str, Field(pattern=r"^[0-9]{9}$")]
    destination_name: Annotated[str, Field(min_length=1, max_length=23)]
    company_name: Annotated[str, Field(min_length=1, max_length=16)]
    company_id: Annotated[str, Field(pattern=r"^[0-9A-Z]{10}$")]
    returns_missing_after: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    marks_folder: FilePath
    folders: AchFolders
    sftp: AchSftp

    @property
    def times(self) -> tuple[time, ...]:
        """The cut-offs, Eastern time."""
        return tuple(time.fromisoformat(part.strip()) for part in self.cut_offs.split(","))


class Desks(Section):
    """The role desks."""

    poll_ms: Duration
    keys_folder: FilePath


class Vendor(Section):
    """One vendor: the folder that says how to speak to it, where it is, and which secrets of the vault it knows."""

    folder: Annotated[str, Field(min_length=1)]
    url: HttpUrl
    key_secret: str


class Vendors(Section):
    """The outside parties, by kind. One bank may serve both `ach` and `treasury`."""

    ach: Vendor
    ach_files: Vendor
    treasury: Vendor
    kyc: Vendor
    aml: Vendor
    depository: Vendor


class Aws(Section):
    """Amazon's services."""

    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")]
    endpoint_url: HttpUrl
    parameters: Annotated[str, Field(pattern=r"^(/([A-Za-z0-9_.-]+/){1,8})?$", max_length=200)]
    endpoints: dict[str, HttpUrl]

    def endpoint(self, service: str) -> str:
        """Return the address of a service (`sqs`, `kms`, …), or nothing for Amazon's own."""
        return self.endpoints.get(service, self.endpoint_url)


class Logging(Section):
    """What is written about what happens."""

    level: Literal["debug", "info", "warning", "error"]
    format: Literal["json", "text"]
    access: Literal["all", "failures", "none"]


class Telemetry(Section):
    """Traces over the processes, in OpenTelemetry's protocol."""

    endpoint: HttpUrl
    sample: Annotated[float, Field(ge=0, le=1)]


class Settings(Section):
    """The whole configuration of one platform."""

    home: FilePath
    network: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{2,39}$")]
    regions: dict[str, str]
    database: Database
    queue: Queue
    vault: Vault
    personal: Personal
    chain: Chain
    signing: Signing
    signers: dict[str, Signer]
    api: Api
    functions: Functions
    worker: Worker
    sandbox: Sandbox
    ach: Ach
    desks: Desks
    vendors: Vendors
    aws: Aws
    logging: Logging
    telemetry: Telemetry

    def region_file(self, region: str) -> Path:
        """Return the file of a region: as named, or in home/regions, ./regions, or beside the package.

        Errors: ConfigurationInvalid when the region or its file is unknown.
        """
        if region not in self.regions:
            raise ConfigurationInvalid(
                f"there is no region {region!r}; {did_you_mean(nearest(region, self.regions), self.regions)}"
            )
        return self._found(self.regions[region], f"regions.{region}")

    def price_file(self) -> Path:
        """Return the file of dated prices, looked up like a region's. Errors: ConfigurationInvalid."""
        return self._found(self.worker.prices, "worker.prices")

    def filer_file(self) -> Path:
        """Return the file of whoever files reports, looked up like a region's. Errors: ConfigurationInvalid."""
        return self._found(self.api.filer, "api.filer")

    def _found(self, name: str, setting: str) -> Path:
        named = Path(name)
        package = Path(__file__).resolve().parents[1]
        places = [self.home, Path(), package, package.parents[1]]
        for candidate in [named, *(place / "regions" / named for place in places)]:
            if candidate.is_file():
                return candidate.resolve()
        raise ConfigurationInvalid(f"{setting}: there is no file {named}")
