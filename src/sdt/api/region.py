"""What everybody may know of a region: its tokens, their supply and reserve, its rules and their law."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path

from sdt.api import models
from sdt.api.declared import problems
from sdt.api.runtime import Running
from sdt.api.services import Services
from sdt.api.strict_route import StrictRoute
from sdt.domain.errors import Invalid, NotFound
from sdt.domain.message import format_time, parse_time
from sdt.domain.region import Rule, Token
from sdt.store import Store, ledger, registry, reserves

__all__ = ["router"]

router = APIRouter(route_class=StrictRoute, tags=["region"])


def _rule(rule: Rule) -> models.Rule:
    return models.Rule(
        id=rule.id,
        kind=rule.kind,
        text=rule.text,
        statute=rule.statute,
        effective=rule.effective,
        sunset=rule.sunset,
        domain=rule.domain,
        token=rule.token,
        units=None if rule.units is None else str(rule.units),
        types=list(rule.types),
    )


def _token(token: Token) -> models.Token:
    return models.Token(
        symbol=token.symbol,
        name=token.name,
        asset=str(token.asset),
        domain=token.domain,
        fee_units=str(token.fee_units),
        fee_ppm=token.fee_ppm,
    )


async def token_report(services: Services, symbol: str) -> models.TokenReport:
    """Return a token with its supply and reserve. Errors: NotFound."""
    try:
        token = services.region.token(symbol)
    except Invalid as error:
        raise NotFound(error.detail, code="token_not_found") from None
    supply, reserve = await services.store.read(_books, symbol)
    rules = services.region.rules
    return models.TokenReport(
        **_token(token).model_dump(),
        supply=str(supply),
        reserve=reserve,
        minting=_minting(supply, reserve, services.now_s),
        rules=[_rule(r) for r in rules if r.domain in (None, token.domain) and r.token in (None, symbol)],
    )


def _minting(
    supply: int, reserve: models.Reserve | None, now_s: int
) -> Literal["open", "attestation_stale", "reserve_used_up"]:
    """What the contract would say to the next mint; it has the last word."""
    if reserve is None or parse_time(reserve.valid_until) <= now_s:
        return "attestation_stale"
    return "open" if supply < int(reserve.held) else "reserve_used_up"


def _books(store: Store, symbol: str) -> tuple[int, models.Reserve | None]:
    row = reserves.get(store, symbol)
    supply = ledger.supply(store, symbol)
    if row.as_of_s == 0:
        # Nobody has attested anything yet.
        return supply, None
    return supply, models.Reserve(
        attested=str(row.attested),
        funded=str(row.funded),
        released=str(row.released),
        held=str(row.backing),
        as_of=format_time(row.as_of_s),
        valid_until=format_time(row.valid_until_s),
        sequence=row.sequence,
    )


@router.get("/v1/region", summary="The region", responses=problems(), operation_id="getRegion")
async def _region(runtime: Running) -> models.Region:
    """Answer with the names that every message carries, and where the region's books stand on chain."""
    services = runtime.services
    region, chain = services.region, services.deployment
    return models.Region(
        id=region.id,
        name=region.name,
        network=services.network,
        rules_digest=region.digest.hex(),
        acceptance_window_s=region.acceptance_window_s,
        transfer_life_s_max=region.transfer_life_s_max,
        tokens=[token.symbol for token in region.tokens],
        chain_id=chain.chain_id,
        settlement=chain.settlement,
        registry=chain.registry,
        time=format_time(services.now_s),
    )


@router.get("/v1/orders", summary="Orders, in numbers", responses=problems(), operation_id="getOrders")
async def _orders(runtime: Running) -> models.Orders:
    """Answer with how many freezes are in force, and how to appeal. Whom they are against stands on chain alone."""
    services = runtime.services
    counts = {one.token: one for one in await services.store.read(registry.order_counts, services.now_s)}
    shown = []
    for token in services.region.tokens:
        one = counts.get(token.symbol)
        numbers = (one.in_force, one.accounts, one.ended) if one else (0, 0, 0)
        in_force, accounts, ended = numbers
        shown.append(models.OrdersOfToken(token=token.symbol, in_force=in_force, accounts=accounts, ended=ended))
    return models.Orders(orders=shown, appeal=services.region.appeal, time=format_time(services.now_s))


@router.get("/v1/tokens", summary="The region's tokens", responses=problems(), operation_id="getTokens")
async def _tokens(runtime: Running) -> models.Tokens:
    """Answer with every token of the region."""
    return models.Tokens(tokens=[_token(token) for token in runtime.services.region.tokens])


@router.get("/v1/tokens/{symbol}", summary="A token", responses=problems(404), operation_id="getToken")
async def _one_token(runtime: Running, symbol: Annotated[str, Path(examples=["TXD"])]) -> models.TokenReport:
    """Answer with a token's supply in the books, the reserve behind it, and its rules."""
    return await token_report(runtime.services, symbol)


@router.get("/v1/rules", summary="The region's rules", responses=problems(), operation_id="getRules")
async def _rules(runtime: Running) -> models.Rules:
    """Answer with every rule, the law it follows and its dates."""
    region = runtime.services.region
    return models.Rules(digest=region.digest.hex(), rules=[_rule(rule) for rule in region.rules])
