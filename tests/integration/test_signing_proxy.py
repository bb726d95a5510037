"""Connections between vsock and TCP: what the routes name and nothing else, and whole signers behind them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import ports
import vsock
from enclave_rig import Nitro
from sdt.domain.errors import Invalid
from sdt.signing import proxy
from sdt.signing.proxy import Proxy, Route, load_routes
from sdt.signing.sockets import Endpoint
from signing_rig import Line, Rig, coordinator, sign

NOBODY = "tcp://127.0.0.1:1"


@pytest.fixture
def folder():
    """A folder with a short name: a socket's has 107 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="sdt-") as name:
        yield Path(name)


# Addresses


@pytest.mark.parametrize(
    "text", ["tcp://signer.texas.gov:7001", "tcp://[::1]:7001", "vsock://any:5", "unix:///run/x:7"]
)
def test_an_address_reads_as_it_is_written(text):
    assert str(Endpoint.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "7001", "localhost:7001", "tcp://x", "tcp://x:0", "tcp://x:65536", "tcp://x/y:5", "tcp://x y:5"),
        *("tcp://x:5 ", "vsock://me:5", "vsock://-1:5", "vsock://3:4294967295", "udp://x:5", "unix://run:7"),
    ],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(Invalid):
        Endpoint.parse(text)


def test_a_location_is_named_plainly_for_tcp_and_by_its_scheme_otherwise():
    assert Endpoint.of("::1", 7001) == Endpoint("tcp", "::1", 7001)
    assert Endpoint.of("vsock://3", 7001) == Endpoint("vsock", "3", 7001)


def test_the_kernel_binds_vsock():
    if not hasattr(socket, "AF_VSOCK") or not Path("/dev/vsock").exists():
        pytest.skip("no vsock in this kernel; the sockets in folders stand in")
    Endpoint("vsock", "any", vsock.free_port()).listen().close()


# Routes


def routes(tmp_path: Path, text: str) -> tuple[Route, ...]:
    file = tmp_path / "routes.toml"
    file.write_text(text)
    return load_routes(file)


def one(name="chain", listen="vsock://any:8545", to="tcp://10.0.0.1:8545", more="") -> str:
    return f'[[route]]\nname = "{name}"\nlisten = "{listen}"\nto = "{to}"\n{more}'


def test_routes_read_as_they_are_written(tmp_path):
    two = routes(tmp_path, one(more="from_cid = 16\n") + one("kms", "vsock://any:443", "tcp://kms.example:443"))
    assert [(route.name, str(route.to), route.from_cid) for route in two] == [
        ("chain", "tcp://10.0.0.1:8545", 16),
        ("kms", "tcp://kms.example:443", None),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "route = []",
        one() + one(),
        one() + one("other"),
        one(to="*"),
        one(to="tcp://10.0.0.0/8:443"),
        one(more='more = "x"\n'),
        one(name="Chain Node"),
        one(listen="tcp://127.0.0.1:8545", more="from_cid = 16\n"),
        "".join(one(f"r{at}", f"vsock://any:{at + 1}") for at in range(33)),
        "no toml",
    ],
)
def test_a_list_of_routes_with_anything_else_in_it_is_refused(tmp_path, text):
    with pytest.raises(Invalid):
        routes(tmp_path, text)


# Connections


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65_536):
        writer.write(piece)
        await writer.drain()
    writer.write(b" and good-bye")
    writer.close()


@contextlib.asynccontextmanager
async def carried(folder: Path, to: str | None = None):
    """A proxy from the enclave's side to an echoing server; yields how to call it, and the proxy."""
    port, target = vsock.free_port(), ports.free_port()
    listen, call = vsock.host(folder, "parent")
    server = await asyncio.start_server(echo, "127.0.0.1", target)
    made = Proxy([Route("echo", Endpoint.of(listen, port), Endpoint.parse(to or f"tcp://127.0.0.1:{target}"))])
    await made.start()
    try:
        yield Endpoint.of(call, port), made
    finally:
        await made.close()
        server.close()


async def dial(endpoint: Endpoint) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(sock=await asyncio.to_thread(endpoint.dial, 2.0))


async def test_what_goes_in_comes_out_and_an_end_is_carried_on(folder):
    sent = os.urandom(3_000_000)
    async with carried(folder) as (endpoint, _):
        reader, writer = await dial(endpoint)
        writer.write(sent)
        writer.write_eof()
        assert await reader.read(-1) == sent + b" and good-bye"
        writer.close()


async def test_a_target_that_does_not_answer_ends_the_connection(folder):
    async with carried(folder, NOBODY) as (endpoint, _):
        reader, writer = await dial(endpoint)
        with contextlib.suppress(ConnectionError):
            assert await reader.read(-1) == b""
        writer.close()


async def test_a_route_carries_so_many_connections_and_no_more(folder, monkeypatch):
    monkeypatch.setattr(proxy, "CONNECTIONS_MAX", 2)
    async with carried(folder) as (endpoint, _):
        two = [await dial(endpoint) for _ in range(2)]
        for reader, writer in two:
            writer.write(b"x")
            assert await reader.read(1) == b"x"
        reader, third = await dial(endpoint)
        with contextlib.suppress(ConnectionError):
            assert await reader.read(-1) == b""
        two[0][1].close()
        await asyncio.sleep(0.2)
        reader, again = await dial(endpoint)
        again.write(b"y")
        assert await reader.read(1) == b"y"
        for writer in (third, again, two[1][1]):
            writer.close()


async def test_an_idle_connection_ends(folder, monkeypatch):
    monkeypatch.setattr(proxy, "IDLE_S", 0.2)
    async with carried(folder) as (endpoint, _):
        reader, writer = await dial(endpoint)
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(-1), 5) == b""
        writer.close()


async def test_who_says_nothing_keeps_no_place_after_the_target_has_hung_up(folder, monkeypatch):
    # given a target that hangs up on whoever does not prove itself, and as many silent strangers as there are places
    monkeypatch.setattr(proxy, "CONNECTIONS_MAX", 3)
    monkeypatch.setattr(proxy, "DIAL_S", 0.3)

    async def impatient(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                writer.write(await reader.readexactly(1))
        writer.close()

    target = ports.free_port()
    async with (
        await asyncio.start_server(impatient, "127.0.0.1", target),
        carried(folder, f"tcp://127.0.0.1:{target}") as (endpoint, _),
    ):
        strangers = [await dial(endpoint) for _ in range(3)]
        # when that was some moments ago
        await asyncio.sleep(1.5)
        # then there is a place for who has something to say
        reader, writer = await dial(endpoint)
        writer.write(b"x")
        assert await asyncio.wait_for(reader.read(1), 2) == b"x"
        for _, each in (*strangers, (reader, writer)):
            each.close()


async def test_a_caller_that_has_said_everything_is_still_answered(folder, monkeypatch):
    # given a target that answers later than a dial may take
    monkeypatch.setattr(proxy, "DIAL_S", 0.2)

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = await reader.read(-1)
        await asyncio.sleep(0.6)
        writer.write(said)
        writer.close()

    target = ports.free_port()
    async with (
        await asyncio.start_server(slow, "127.0.0.1", target),
        carried(folder, f"tcp://127.0.0.1:{target}") as (endpoint, _),
    ):
        reader, writer = await dial(endpoint)
        writer.write(b"all of it")
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(-1), 3) == b"all of it"
        writer.close()


# Whole signers, each as if in an enclave


class EnclaveRig(Rig):
    """Three signers that have no TCP: each speaks through a proxy of its own machine, and is reached through it."""

    def __init__(self, home: Path, folder: Path) -> None:
        super().__init__(home)
        self.proxies: list[subprocess.Popen[bytes]] = []
        tcp = {party: (ports.free_port(), ports.free_port()) for party in (1, 2, 3)}
        inner = {party: (vsock.free_port(), vsock.free_port()) for party in (1, 2, 3)}
        outer = {
            (party, peer): (vsock.free_port(), vsock.free_port()) for party in tcp for peer in tcp if peer != party
        }
        for party in tcp:
            parent, enclave = vsock.host(folder, f"parent-{party}"), vsock.host(folder, f"enclave-{party}")
            text = "".join(
                one(f"in-{at}", f"tcp://127.0.0.1:{tcp[party][at]}", f"{enclave[1]}:{inner[party][at]}")
                for at in (0, 1)
            )
            for peer in tcp.keys() - {party}:
                text += "".join(
                    one(
                        f"peer-{peer}-{at}", f"{parent[0]}:{outer[party, peer][at]}", f"tcp://127.0.0.1:{tcp[peer][at]}"
                    )
                    for at in (0, 1)
                )
            (folder / f"routes-{party}.toml").write_text(text)
            self._point(
                self.folder(party) / "signer.toml",
                {
                    each: (enclave[0], *inner[party]) if each == party else (parent[1], *outer[party, each])
                    for each in tcp
                },
            )
            self.proxies.append(
                subprocess.Popen(
                    [sys.executable, "-m", "sdt.signing.proxy", str(folder / f"routes-{party}.toml")],
                    stdout=subprocess.PIPE,
                )
            )
        self._point(self.home / "coordinator" / "signers.toml", {party: ("127.0.0.1", *tcp[party]) for party in tcp})
        for process in self.proxies:
            assert process.stdout.readline() == b"ready\n"

    @staticmethod
    def _point(file: Path, where: dict[int, tuple[str, int, int]]) -> None:
        """Say in a configuration how each location is reached from there."""
        head, *locations = file.read_text().split("\n[[location]]\n")
        for party, (host, port, mpc_port) in where.items():
            lines = [line for line in locations[party - 1].splitlines() if line.split(" = ")[0] not in REACHED]
            lines += [f'host = "{host}"', f"port = {port}", f"mpc_port = {mpc_port}", ""]
            locations[party - 1] = "\n".join(lines)
        file.write_text("\n[[location]]\n".join([head, *locations]))

    def stop(self) -> None:
        super().stop()
        for process in self.proxies:
            process.kill()
            process.wait(10)


REACHED = ("host", "port", "mpc_port")


@pytest.mark.slow
async def test_three_signers_without_tcp_make_a_key_attest_each_other_and_sign_a_batch(tmp_path, folder):
    rig, nitro = EnclaveRig(tmp_path, folder), Nitro()
    nitro.write(tmp_path / "nitro")
    rig.nitro = tmp_path / "nitro"
    try:
        for party in (1, 2, 3):
            policy = f'root_sha256 = "{nitro.root_sha256.hex()}"\n[[image]]\nname = "signer"\n'
            policy += "".join(f'pcr{number} = "{byte * 48}"\n' for number, byte in enumerate(("11", "22", "33")))
            (rig.folder(party) / "attestation.toml").write_text(policy)
            rig.settings(party, 'attestation = "attestation.toml"\n')
            rig.start(party, image="IMAGE")
        async with coordinator(rig) as to:
            await to.keygen()
            await to.presign((1, 3), 3)
            await to.presign((2, 3), 3)
            line = Line()
            for _ in range(2):
                batch = line.batch(20)
                assert (await sign(to, batch)).signature is not None
                line.settled(batch)
            # when a location's machine is cut off, the others go on
            rig.proxies[0].kill()
            rig.proxies[0].wait(10)
            batch = line.batch(20)
            assert (await sign(to, batch)).pair == (2, 3)
    finally:
        rig.stop()
