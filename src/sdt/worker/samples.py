"""What the worker found, as gauges for Prometheus. Labels are states, codes, pairs and tokens: nothing of a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sdt.adapters.vendor.breaker import BreakerState
from sdt.adapters.vendor.mapped import VendorHealth
from sdt.observing.figures import Sample, gauge
from sdt.observing.health import Check, health_figures
from sdt.observing.process import process_figures
from sdt.signing.refusal_codes import REFUSAL_CODES
from sdt.worker.ach.service import ach_samples
from sdt.worker.looks import Books, Looked
from sdt.worker.money_figures import money_samples
from sdt.worker.standby import lane_samples

__all__ = ["samples_of", "vendor_samples"]

CHAIN_STATES = ("ok", "slow", "stalled", "unreachable")


def samples_of(found: Looked, checks: Sequence[Check]) -> list[Sample]:
    """Return everything that was found."""
    return [
        *health_figures(checks),
        *lane_samples(found.lane),
        *_chain(found),
        *_queue(found),
        *_signing(found),
        *vendor_samples(found.vendors),
        *(_books(found.books) if found.books else ()),
        *_monitoring(found.monitoring),
        *ach_samples(found.ach),
        *process_figures(),
    ]


def _chain(found: Looked) -> list[Sample]:
    states = [({"state": one}, int(found.chain.state == one)) for one in CHAIN_STATES]
    age_s = found.chain.head_age_s
    return [
        gauge("sdt_chain_head_number", "Number of the newest block that this process has seen.", found.head_block),
        gauge(
            "sdt_chain_head_age_seconds",
            "Age of the newest block of any node.",
            [({}, age_s)] if age_s is not None else [],
        ),
        gauge("sdt_chain_silent_seconds", "Since when no node has answered.", round(found.head_seen_s, 1)),
        gauge("sdt_chain_state", "1 for the state in which the chain is.", states),
        gauge(
            "sdt_chain_nodes_answering", "Chain nodes that answer.", sum(n.head is not None for n in found.chain.nodes)
        ),
        gauge("sdt_chain_nodes", "Chain nodes that this process knows.", len(found.chain.nodes)),
        gauge(
            "sdt_batch_waiting_seconds", "How long the oldest batch waits for a block.", round(found.batch_waiting_s, 1)
        ),
        gauge("sdt_batches_in_flight", "Batches signed or sent and not yet final.", found.flights),
        gauge("sdt_in_flight_gas", "Gas of batches that no block has yet.", found.gas_in_flight),
    ]


def _queue(found: Looked) -> list[Sample]:
    depth = found.queue
    if depth is None:
        return []
    states = {"waiting": depth.waiting, "in_flight": depth.in_flight, "dead": depth.dead}
    return [
        gauge("sdt_queue_messages", "Messages of the queue by state.", [({"state": s}, n) for s, n in states.items()]),
        gauge("sdt_queue_oldest_seconds", "Age of the oldest message that is not done with.", depth.oldest_age_s or 0),
    ]


def _signing(found: Looked) -> list[Sample]:
    alarms = Counter(alarm.code for alarm in found.alarms)
    # Every code from the start on: what a counter grows by is told from its second sample only.
    refused = [({"code": code}, found.refused.get(code, 0)) for code in sorted(REFUSAL_CODES)]
    return [
        gauge("sdt_signers_answering", "Locations that answer.", len(found.answering)),
        gauge(
            "sdt_signers_usable",
            "Locations that can be asked to sign: they answer, hold nothing back and were not caught.",
            len(found.usable),
        ),
        gauge("sdt_signers_caught", "Locations that were caught cheating.", len(found.caught)),
        gauge(
            "sdt_presignatures",
            "Presignatures left, by pair of locations of which both can sign.",
            [({"pair": p}, n) for p, n in found.usable_stock.items()],
        ),
        (
            "sdt_signer_refusals_total",
            refused,
            "counter",
            "Refusals by locations, of messages and whole batches, by code.",
        ),
        gauge(
            "sdt_signer_alarms",
            "What is not as it should be at the locations, by code.",
            [({"code": c}, n) for c, n in alarms.items()],
        ),
        gauge(
            "sdt_certificates_ending",
            "Certificates of the locations that end within 30 days.",
            len(found.certificates_ending),
        ),
    ]


def vendor_samples(vendors: Sequence[VendorHealth]) -> list[Sample]:
    """Return how each vendor does: which breaker stands how, and how many calls ended in what."""
    who = [({"kind": one.kind, "vendor": one.name}, one) for one in vendors]
    states = [
        ({**whose, "state": state.value}, int(one.breaker is state)) for whose, one in who for state in BreakerState
    ]
    calls = [({**whose, "outcome": outcome}, n) for whose, one in who for outcome, n in sorted(one.outcomes.items())]
    return [
        gauge("sdt_vendor_breaker", "1 for the state in which a vendor's breaker is.", states),
        ("sdt_vendor_calls_total", calls, "counter", "Calls of a vendor by outcome."),
    ]


def _books(books: Books) -> list[Sample]:
    screened = books.screened
    tokens = [({"token": one.token}, one) for one in books.reserves]
    found = [
        gauge(
            "sdt_transactions",
            "Transactions that are not at an end, by status.",
            [({"status": s}, n) for s, n in books.transactions.items()],
        ),
        gauge(
            "sdt_oldest_waiting_seconds",
            "How long the oldest transaction waits for the platform alone.",
            books.oldest_live_s,
        ),
        gauge(
            "sdt_instructions_dead",
            "Instructions to outside parties that repetition cannot help.",
            books.instructions_dead,
        ),
        gauge("sdt_outbox_instructions", "Instructions that are due and not told yet.", books.outbox.instructions),
        gauge(
            "sdt_outbox_oldest_seconds", "Since when the oldest due instruction waits or fails.", books.outbox.oldest_s
        ),
        gauge(
            "sdt_reserve_margin_units",
            "Backing less supply, in the token's smallest unit.",
            [(who, one.backing - one.supply) for who, one in tokens],
        ),
        gauge(
            "sdt_reserve_attestation_age_seconds",
            "Age of the statement behind the attestation in force.",
            [(who, one.age_s) for who, one in tokens if one.age_s is not None],
        ),
        gauge(
            "sdt_reserve_attestation_left_seconds",
            "How long the attestation is still in force; below zero it has expired.",
            [(who, one.left_s) for who, one in tokens if one.left_s is not None],
        ),
        *money_samples(books.money),
    ]
    if books.list_age_s is not None:
        found += [
            gauge(
                "sdt_sanctions_list_age_seconds",
                "How long ago the sanctions list in force was loaded.",
                books.list_age_s,
            ),
            gauge(
                "sdt_sanctions_list_entries", "Entries of the sanctions list in force.", float(screened["list_entries"])
            ),
            gauge(
                "sdt_sanctions_people_left",
                "People not yet held against the list in force.",
                float(screened["people_left"]),
            ),
        ]
    return found


def _monitoring(found: Mapping[str, Any]) -> list[Sample]:
    if not found:
        return []
    opened, overdue = ([({"kind": k}, n) for k, n in found[name].items()] for name in ("cases_open", "cases_overdue"))
    return [
        gauge(
            "sdt_monitoring_postings_behind", "Settled postings that monitoring has not read.", found["postings_behind"]
        ),
        gauge("sdt_monitoring_prices_missing", "Assets without a price of today.", len(found["prices_missing"])),
        gauge("sdt_cases_open", "Open cases by kind.", opened),
        gauge("sdt_cases_overdue", "Cases past their day, by kind.", overdue),
        gauge("sdt_reports_to_renew", "Reports that must be renewed.", found["reports_to_renew"]),
    ]
