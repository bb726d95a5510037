"""What a region costs at Amazon's list prices: `python deploy/aws/costs.py [MILLIONS_A_MONTH]`, from prices.toml.

Prices and assumptions stand in that file, to be changed there. Sums are rounded to two figures: more would be invented.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10
from pathlib import Path
from typing import Any

PRICES = Path(__file__).resolve().parent / "prices.toml"


@dataclass(frozen=True)
class Line:
    """One position. Units: dollars; `fixed` for a month, `million` for each million transactions."""

    name: str
    fixed: float
    million: float


def lines(told: Mapping[str, Any]) -> list[Line]:
    """Return the positions of a month of one region, the three locations and four validators apart."""
    price, assumed = told["price"], told["assumed"]
    hours, requests = assumed["hours_a_month"], assumed["requests_a_transaction"]
    batches = 1 / assumed["screened_a_batch"]
    api_gb_s = requests * assumed["api_ms_a_request"] / 1000 * assumed["api_memory_gb"]
    screening_gb_s = batches * assumed["screening_ms_a_batch"] / 1000 * assumed["screening_memory_gb"]
    # Sent, and taken and deleted by the batch.
    queue = assumed["queue_requests_a_transaction"] + 2 * batches
    idle_queue = assumed["pollers"] * 3600 * hours / 20 / 1e6
    log_gb, rows_gb = assumed["log_bytes_a_transaction"] / 1000, assumed["database_bytes_a_transaction"] / 1000
    disk_month = price["rds_gp3_multi_az_gb_month"]
    settlement_h = (
        assumed["settlement_vcpu"] * price["fargate_vcpu_h"] + assumed["settlement_gb"] * price["fargate_gb_h"]
    )
    return [
        Line("HTTP API", 0, requests * price["http_api_million"]),
        Line("API function", 0, requests * price["lambda_million"] + api_gb_s * 1e6 * price["lambda_gb_s"]),
        Line("screening function", 0, batches * price["lambda_million"] + screening_gb_s * 1e6 * price["lambda_gb_s"]),
        Line("queue", idle_queue * price["sqs_fifo_million"], queue * price["sqs_fifo_million"]),
        Line("database, two zones", hours * price["rds_m7g_large_multi_az_h"], 0),
        Line("its disk and what a month adds to it", assumed["database_disk_gb"] * disk_month, rows_gb * disk_month),
        Line("its backups", assumed["backup_gb"] * price["backup_gb_month"], rows_gb * price["backup_gb_month"]),
        Line("pool of connections", hours * 2 * price["rds_proxy_vcpu_h"], 0),
        Line("settlement, two tasks", hours * assumed["settlement_tasks"] * settlement_h, 0),
        Line("two addresses outwards", hours * 2 * price["nat_h"], assumed["gb_out_a_million"] * price["nat_gb"]),
        Line("eight doors to services, two zones", hours * 16 * price["endpoint_zone_h"], 0),
        Line("logs", 0, log_gb * (price["logs_gb"] + 12 * price["logs_gb_month"])),
        Line("reading secrets", assumed["secret_reads_a_second"] * 3600 * hours / 1e4 * price["secrets_10k"], 0),
        Line("keys, secrets, alarms, shared folder", 4 * price["kms_key_month"] + 15 * price["secret_month"]
             + 20 * price["alarm_month"] + 10 * price["efs_gb_month"] + 20 * price["metric_month"],
             assumed["kms_calls_a_transaction"] * 1e6 / 1e4 * price["kms_10k"]),
        Line("three locations", hours * 3 * price["m6i_xlarge_h"] + 3 * (70 * price["gp3_gb_month"] + 2), 0),
        Line("four validators", hours * 4 * price["m6i_large_h"] + 4 * 220 * price["gp3_gb_month"], 0),
    ]  # fmt: skip


def rough(dollars: float) -> str:
    """Return an amount in two figures."""
    if dollars <= 0:
        return "–"
    digits = 1 - floor(log10(dollars))
    return f"{round(dollars, digits):,.{max(digits, 0)}f}"


def table(told: Mapping[str, Any], millions: float) -> str:
    """Return the sheet as Markdown."""
    found = lines(told)
    fixed, million = sum(line.fixed for line in found), sum(line.million for line in found)
    rows = [
        f"List prices, {told['region']}, {told['as_of']}; US dollars, two figures.",
        "",
        "| | a month, whether anybody pays or not | each million transactions |",
        "|---|---:|---:|",
        *(f"| {line.name} | {rough(line.fixed)} | {rough(line.million)} |" for line in found),
        f"| **together** | **{rough(fixed)}** | **{rough(million)}** |",
        "",
        f"At {millions:g} million a month: about ${rough(fixed + millions * million)} a month, "
        f"${rough((fixed + millions * million) / millions)} a million.",
    ]
    return "\n".join(rows)


def main(argv: Sequence[str]) -> None:
    """Print the sheet."""
    print(table(tomllib.loads(PRICES.read_text()), float(argv[0]) if argv else 10))


if __name__ == "__main__":
    main(sys.argv[1:])
