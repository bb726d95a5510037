"""What routes ask of the framework: the running API, and who makes the request."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader

from sdt.api.callers import Caller, caller_of
from sdt.api.engine import Runtime
from sdt.domain.errors import Unauthenticated
from sdt.domain.proof import PROOF_HEADER

__all__ = ["AnyCaller", "KnownCaller", "Running", "Runtime"]


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


Running = Annotated[Runtime, Depends(_runtime)]

_proof_header = APIKeyHeader(
    name=PROOF_HEADER,
    scheme_name="proof",
    description="A compact JWS of type sdt-proof+jws over htm, htu, iat, jti and network; at most 60 seconds old, "
    "accepted once (docs/api.md).",
    auto_error=False,
)


async def _any_caller(
    request: Request, runtime: Running, proof: Annotated[str | None, Security(_proof_header)]
) -> Caller | None:
    if proof is None:
        return None
    return await caller_of(runtime.services, runtime.keys, proof, request.method, request.url.path)


async def _known_caller(caller: Annotated[Caller | None, Depends(_any_caller)]) -> Caller:
    if caller is None:
        raise Unauthenticated("This needs an SDT-Proof header.", code="proof_required")
    return caller


AnyCaller = Annotated[Caller | None, Depends(_any_caller)]
KnownCaller = Annotated[Caller, Depends(_known_caller)]
