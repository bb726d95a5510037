"""The processes of one platform: what each is started with, and who needs whom."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from sdt.config import Settings
from sdt.domain.region import Region
from sdt.supervise import ProcessSpec, ReadyUrl

__all__ = ["desks", "embeds_chain", "foundations", "services"]


def _python(module: str, *arguments: str) -> Sequence[str]:
    return (sys.executable, "-m", module, *arguments)


def embeds_chain(settings: Settings) -> bool:
    """Return whether the chain is a process of this platform."""
    return f"http://{settings.chain.host}:{settings.chain.port}" in settings.chain.urls


def foundations(settings: Settings, region: Region) -> list[ProcessSpec]:
    """What must run before there are contracts: the chain, three signers, bank, depository and the other vendors."""
    chain = settings.chain
    specs = []
    if embeds_chain(settings):
        specs.append(
            ProcessSpec(
                "chain",
                _python(
                    "sdt.adapters.chain.embedded",
                    *("--db", str(chain.chain_file)),
                    *("--port", str(chain.port)),
                    *("--chain-id", str(chain.chain_id)),
                    *("--block-gas-limit", str(chain.block_gas_limit)),
                ),
            )
        )
    sandbox = settings.home / "sandbox"
    common = ("--home", str(sandbox), "--speed", str(settings.sandbox.banking_day_s))
    programs = [a for token in region.tokens if token.domain == "dollar" for a in ("--program", token.symbol)]
    vaults = [
        a
        for token in region.tokens
        if token.domain == "cash"
        for a in ("--vault", f"{token.symbol}:{token.asset_code}")
    ]
    ports = settings.sandbox
    specs += [
        ProcessSpec("bank", _python("sdt.sandbox", "bank", *common, "--bank-port", str(ports.bank_port), *programs)),
        ProcessSpec(
            "depository",
            _python("sdt.sandbox", "depository", *common, "--depository-port", str(ports.depository_port), *vaults),
        ),
        ProcessSpec(
            "vendors",
            _python(
                "sdt.sandbox", "vendors", *common, "--kyc-port", str(ports.kyc_port), "--aml-port", str(ports.aml_port)
            ),
        ),
    ]
    specs += [signer(settings.home, party) for party in (1, 2, 3)]
    return specs


def signer(home: Path, party: int) -> ProcessSpec:
    """One of the three locations."""
    return ProcessSpec(f"signer-{party}", _python("sdt.signing.signer", "--home", str(home / f"signer-{party}")))


def services(settings: Settings) -> list[ProcessSpec]:
    """What serves clients: the worker and the API."""
    home = ("--home", str(settings.home))
    api = f"http://{settings.api.host}:{settings.api.port}"
    served = "sdt.api" if settings.api.served_by == "uvicorn" else "sdt.functions.local"
    return [
        ProcessSpec("worker", _python("sdt.worker", *home)),
        ProcessSpec("api", _python(served, *home), ready=ReadyUrl(f"{api}/healthz")),
    ]


def desks(settings: Settings) -> list[ProcessSpec]:
    """The officials' desks, each with keys of its own, apart from the API and the worker."""
    home = ("--home", str(settings.home))
    return [
        ProcessSpec(f"desk-{name}", _python("sdt.desk", name, *home), needs=())
        for name in ("kyc", "custodian", "issuer", "approver")
    ]
