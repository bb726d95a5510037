"""The dashboard, the alarms and their runbook hold together."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess

import pytest
import yaml

from observability_files import FOLDER, alarm_figures, alarms, dashboard_figures

DOCS = FOLDER.parents[1] / "docs" / "operations"
PARTS = ("**Look**:", "**Do**:", "**Do not**:", "**It is over** when:")


def _promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("promtool is missing")
        pytest.skip("promtool is missing: apt-get install prometheus")
    return found


def test_every_alarm_has_a_severity_and_a_section_of_the_runbook() -> None:
    text = (DOCS / "alarms.md").read_text()
    sections = {part.split("\n", 1)[0].strip(): part for part in text.split("\n### ")[1:]}
    names = [rule["alert"] for rule in alarms()]
    assert len(names) == len(set(names)) > 40
    for rule in alarms():
        name = rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["runbook"] == f"docs/operations/alarms.md#{name.lower()}"
        section = sections.pop(name)
        assert f"*{rule['labels']['severity']}*" in section, f"{name}: the page names another severity"
        assert all(part in section for part in PARTS), f"{name}: a part of its section is missing"
    assert not sections, "the page has sections of alarms that are none"


@pytest.mark.slow
def test_prometheus_takes_the_rules_and_each_fires_when_it_should() -> None:
    promtool = _promtool()
    tested = [one["name"] for one in yaml.safe_load((FOLDER / "alarms_test.yaml").read_text())["tests"]]
    assert tested == [rule["alert"] for rule in alarms()]
    for what, file in (("check", "alarms.yaml"), ("test", "alarms_test.yaml")):
        done = subprocess.run([promtool, what, "rules", file], cwd=FOLDER, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    for config in ("prometheus.yml", "prometheus-aws.yml"):
        done = subprocess.run(
            [promtool, "check", "config", config], cwd=FOLDER, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_is_what_its_table_says() -> None:
    spec = importlib.util.spec_from_file_location("dashboard", FOLDER / "dashboard.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert (FOLDER / "grafana-dashboard.json").read_text() == made.text(), "run deploy/observability/dashboard.py"
    # and it shows what alarms are about, so that whoever is woken sees it
    unseen = alarm_figures() - dashboard_figures() - {"sdt_certificates_ending", "sdt_chain_state"}
    assert not {name for name in unseen if not name.endswith("_count")}, unseen
