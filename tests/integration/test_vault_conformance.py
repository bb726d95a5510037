"""One promise, every vault: the sealed file, and Secrets Manager as three emulators give it."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

import vault_rig
from sdt.adapters.vault import (
    BadSecretName,
    BadSecretValue,
    Secret,
    SecretExists,
    SecretNotFound,
    VaultProtocol,
    secrets_manager,
)
from sdt.adapters.vault.limits import VALUE_BYTES_MAX
from sdt.observing.logs import start_logging
from vault_rig import KINDS, SEEN_WITHIN_S, Rig

VALUE = b"correct horse battery staple"


@pytest.fixture(params=KINDS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    return vault_rig.rig_of(request.param, request, tmp_path)


@pytest.fixture
def vault(rig: Rig) -> VaultProtocol:
    return rig.open()


def test_every_byte_that_is_put_is_got_by_another_process(rig: Rig, vault: VaultProtocol) -> None:
    values = [
        bytes(range(256)),
        b"base64:",
        b"base64:QQ==",
        b"A",
        "sch\u00fcssel \u2713".encode(),
        b"two\nlines",
        b"\0",
    ]
    for n, value in enumerate(values):
        vault.put(f"vendors/bank/{n}", value)
    for seen in (vault, rig.open()):
        for n, value in enumerate(values):
            assert seen.get(f"vendors/bank/{n}").reveal() == value
            assert seen.previous(f"vendors/bank/{n}") is None


def test_a_rotation_is_seen_here_at_once_and_by_others_in_time(rig: Rig, vault: VaultProtocol) -> None:
    # given two processes that both know the first value
    vault.put("key", b"one")
    other = rig.open()
    assert (other.get("key").reveal(), other.previous("key")) == (b"one", None)
    # when one of them rotates it
    vault.rotate("key", b"two")
    # then it sees so at once
    assert (vault.get("key").reveal(), vault.previous("key")) == (b"two", Secret(b"one"))
    # and the other within the time that is stated, together with the value before: never a pair that lacks one
    rig.clock.s += SEEN_WITHIN_S
    assert (other.get("key").reveal(), other.previous("key")) == (b"two", Secret(b"one"))
    vault.rotate("key", b"three")
    assert (vault.get("key").reveal(), vault.previous("key")) == (b"three", Secret(b"two"))


def test_what_did_not_fit_is_looked_at_again_but_not_without_end(rig: Rig, vault: VaultProtocol) -> None:
    vault.put("key", b"one")
    other = rig.open()
    assert other.get("key").reveal() == b"one"
    vault.rotate("key", b"two")
    # when somebody shows what only the new key can have made, a moment after it was last asked for
    rig.clock.s += 1.5
    other.look_again("key")
    # then the other process has the new one, long before the time that is stated
    assert other.get("key").reveal() == b"two"
    # and when the next misfit comes at once, the service is not asked again
    vault.rotate("key", b"three")
    other.look_again("key")
    assert other.get("key").reveal() in ({b"three"} if "Sealed" in repr(vault) else {b"two"})
    other.look_again("nothing-yet")


def test_the_same_rotation_twice_loses_no_previous_value(vault: VaultProtocol) -> None:
    """Whoever was killed in a rotation repeats it."""
    vault.put("key", b"one")
    vault.rotate("key", b"two")
    vault.rotate("key", b"two")
    assert (vault.get("key"), vault.previous("key")) == (Secret(b"two"), Secret(b"one"))


def test_a_name_twice_an_unknown_name_and_bad_ones_are_refused(rig: Rig, vault: VaultProtocol) -> None:
    vault.put("bank", VALUE)
    for process in (vault, rig.open()):
        with pytest.raises(SecretExists):
            process.put("bank", b"other")
    for call in (vault.get, vault.previous, lambda name: vault.rotate(name, b"other")):
        with pytest.raises(SecretNotFound):
            call("bnak")
    for name in ("", "Bank", "a//b", "/a", "a/", "a b", "a" * 129, "sch\u00fcssel", "a\n"):
        with pytest.raises(BadSecretName):
            vault.put(name, b"x")
    for value in (b"", b"x" * (VALUE_BYTES_MAX + 1)):
        with pytest.raises(BadSecretValue):
            vault.put("other", value)
        with pytest.raises(BadSecretValue):
            vault.rotate("bank", value)
    vault.put("other", b"x" * VALUE_BYTES_MAX)
    assert rig.open().get("bank").reveal() == VALUE
    assert vault.list() == ["bank", "other"]


def test_names_come_in_order_over_pages(rig: Rig, vault: VaultProtocol, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets_manager, "PAGE", 2)
    assert vault.list() == []
    for name in ("b", "a/2", "c", "a/1", "a/10"):
        vault.put(name, b"x")
    assert rig.open().list() == ["a/1", "a/10", "a/2", "b", "c"]


def test_of_many_who_put_one_name_at_once_one_wins(rig: Rig) -> None:
    won: list[bytes] = []

    def put(value: bytes, process: VaultProtocol) -> None:
        with suppress(SecretExists):
            process.put("made-at-first-start", value)
            won.append(value)

    threads = [threading.Thread(target=put, args=(bytes([65 + n]) * 8, rig.open())) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert rig.open().get("made-at-first-start").reveal() == won[0]


def test_a_secret_shows_nowhere(vault: VaultProtocol, capfd: pytest.CaptureFixture[str]) -> None:
    """Not at the most talkative level, by which the services' client library would write every body."""
    logging.getLogger().handlers, kept = [], logging.getLogger().handlers
    try:
        start_logging("api", level="debug", style="text")
        logging.getLogger().setLevel(logging.DEBUG)
        vault.put("bank", VALUE)
        vault.rotate("bank", VALUE + b"!")
        logging.getLogger("sdt.t").warning("%s %r %r", vault.get("bank"), vault, vars(vault))
        with pytest.raises(SecretExists) as refused:
            vault.put("bank", VALUE)
    finally:
        logging.getLogger().handlers = kept
    shown = capfd.readouterr().err + repr(refused.value) + repr(refused.value.__context__)
    assert "hidden" in shown, "the log was listened to"
    assert "horse" not in shown
    assert "Y29ycmVjdCBob3JzZ" not in shown, "in base64"


class Model(RuleBasedStateMachine):
    """Two processes put, rotate and read; a dictionary says what they must see."""

    rig: Rig
    names = st.sampled_from(["a", "b/c"])
    values = st.binary(min_size=1, max_size=3) | st.sampled_from([b"base64:QQ==", b"text"])
    who = st.integers(0, 1)

    @initialize()
    def begin(self) -> None:
        vault_rig_of = type(self).fresh()
        self.processes = [vault_rig_of.open(), vault_rig_of.open()]
        self.expected: dict[str, list[bytes]] = {}

    @staticmethod
    def fresh() -> Rig:
        raise NotImplementedError

    @rule(who=who, name=names, value=values)
    def put(self, who: int, name: str, value: bytes) -> None:
        if name in self.expected:
            with pytest.raises(SecretExists):
                self.processes[who].put(name, value)
        else:
            self.processes[who].put(name, value)
            self.expected[name] = [value]

    @rule(who=who, name=names, value=values)
    def rotate(self, who: int, name: str, value: bytes) -> None:
        if name not in self.expected:
            with pytest.raises(SecretNotFound):
                self.processes[who].rotate(name, value)
            return
        self.processes[who].rotate(name, value)
        if self.expected[name][-1] != value:
            self.expected[name].append(value)

    @rule(name=names)
    def read(self, name: str) -> None:
        values = self.expected.get(name)
        for process in self.processes:
            if values is None:
                with pytest.raises(SecretNotFound):
                    process.get(name)
                continue
            assert process.get(name).reveal() == values[-1]
            before = process.previous(name)
            assert (before.reveal() if before else None) == (values[-2] if len(values) > 1 else None)

    @invariant()
    def names_are_listed(self) -> None:
        if hasattr(self, "expected"):
            assert self.processes[0].list() == sorted(self.expected)


@pytest.fixture(params=["sealed_file", pytest.param("moto_server", marks=pytest.mark.slow)])
def fresh_rigs(request: pytest.FixtureRequest, tmp_path: Path) -> type[Model]:
    count = iter(range(10_000))

    class Of(Model):
        @staticmethod
        def fresh() -> Rig:
            # Without a memory, each process sees at once what the other did, as with the file.
            return vault_rig.rig_of(request.param, request, tmp_path / str(next(count)), seen_within_s=0)

    return Of


def test_any_order_of_acts_by_two_processes_reads_as_it_was_written(fresh_rigs: type[Model]) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        fresh_rigs,
        settings=settings(
            max_examples=10,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
