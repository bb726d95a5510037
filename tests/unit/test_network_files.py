"""What `sdt network create` writes: genesis, keys, peers, settings and Compose file of each client."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from coincurve import PrivateKey
from eth_hash.auto import keccak
from typer.testing import CliRunner

from sdt.cli.app import app
from sdt.config import ConfigurationInvalid, load_settings
from sdt.domain.errors import Conflict, Invalid, NotFound
from sdt.domain.qbft import Extra
from sdt.local.joining import Chain, chain_of, join
from sdt.network import NetworkFailed, Plan, Wanted, create, load_plan
from sdt.network.clients import Place, client_of
from sdt.network.plan import ClientName
from sdt.network.running import find_binary

CLIENTS: list[ClientName] = ["goquorum", "besu", "geth"]


def made(folder: Path, client: ClientName, **wanted: Any) -> tuple[Plan, dict[str, Any]]:
    plan = create(folder, Wanted(client, **wanted))
    return plan, json.loads((folder / "genesis.json").read_text())


@pytest.mark.parametrize("client", ["goquorum", "besu"])
def test_a_qbft_genesis_names_its_validators_sorted_and_holds_no_seal(client: ClientName, tmp_path: Path) -> None:
    plan, first = made(tmp_path / "net", client, nodes=5, validators=4)
    extra = Extra.decode(bytes.fromhex(first["extraData"][2:]))
    assert ["0x" + one.hex() for one in extra.validators] == sorted(node.address for node in plan.validators)
    assert extra.vote == () and extra.round == 0 and extra.seals == ()
    assert first["config"]["berlinBlock"] == 0 and "londonBlock" not in first["config"]
    assert first["difficulty"] == "0x1" and first["mixHash"].startswith("0x6374696361")
    assert first["config"]["qbft"]["blockperiodseconds"] == 1
    assert plan.finality_blocks == 1


def test_goquorum_takes_contracts_and_transactions_of_our_size_and_caps_its_rounds(tmp_path: Path) -> None:
    _, first = made(tmp_path / "net", "goquorum")
    assert first["config"]["isQuorum"] is True
    assert first["config"]["txnSizeLimit"] == 128
    assert first["config"]["qbft"]["maxRequestTimeoutSeconds"] == 8
    assert first["config"]["qbft"]["validators"] == sorted(first["config"]["qbft"]["validators"])


def test_besus_rounds_have_no_cap_in_the_genesis_for_it_knows_none(tmp_path: Path) -> None:
    _, first = made(tmp_path / "net", "besu")
    assert first["config"]["qbft"] == {"epochlength": 30_000, "blockperiodseconds": 1, "requesttimeoutseconds": 4}


def test_a_clique_genesis_has_its_sealers_between_vanity_and_seal(tmp_path: Path) -> None:
    plan, first = made(tmp_path / "net", "geth", nodes=4, validators=3)
    extra = bytes.fromhex(first["extraData"][2:])
    assert len(extra) == 32 + 3 * 20 + 65
    assert extra[32:-65] == b"".join(bytes.fromhex(a[2:]) for a in sorted(n.address for n in plan.validators))
    assert first["config"]["clique"] == {"period": 1, "epoch": 30000}


@pytest.mark.parametrize(("validators", "depth"), [(1, 1), (3, 4), (4, 5), (5, 5)])
def test_on_clique_a_block_is_final_only_deeper_than_any_was_seen_replaced(
    validators: int, depth: int, tmp_path: Path
) -> None:
    plan, _ = made(tmp_path / "net", "geth", nodes=5, validators=validators)
    assert plan.finality_blocks == depth


@pytest.mark.parametrize("client", CLIENTS)
def test_secrets_are_their_owners_alone_and_keys_are_who_the_plan_says(client: ClientName, tmp_path: Path) -> None:
    plan, _ = made(tmp_path / "net", client)
    for node in plan.nodes:
        folder = tmp_path / "net" / node.name
        text = (folder / "nodekey").read_text().removeprefix("0x")
        public = PrivateKey(bytes.fromhex(text)).public_key.format(compressed=False)[1:]
        assert (public.hex(), "0x" + keccak(public)[12:].hex()) == (node.public_key, node.address)
        secrets = [folder / "nodekey", *folder.glob("password"), *folder.glob("data/keystore/*")]
        assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in secrets)
    assert stat.S_IMODE((tmp_path / "net").stat().st_mode) == 0o700


@pytest.mark.parametrize("client", CLIENTS)
def test_every_node_knows_every_other(client: ClientName, tmp_path: Path) -> None:
    plan, _ = made(tmp_path / "net", client)
    for node in plan.nodes:
        peers = json.loads((tmp_path / "net" / node.name / client_of(client).peers_file()).read_text())
        assert peers == [f"enode://{n.public_key}@127.0.0.1:{n.p2p_port}?discport=0" for n in plan.nodes]


@pytest.mark.parametrize("client", CLIENTS)
def test_compose_runs_the_same_command_from_files_that_are_there(client: ClientName, tmp_path: Path) -> None:
    plan, _ = made(tmp_path / "net", client)
    compose = yaml.safe_load((tmp_path / "net" / "compose.yaml").read_text())
    assert list(compose["services"]) == [node.name for node in plan.nodes]
    peers = json.loads((tmp_path / "net" / "peers.compose.json").read_text())
    for node, peer in zip(plan.nodes, peers, strict=True):
        service = compose["services"][node.name]
        kind = client_of(client)
        place = Place(kind.binary, "/node", "0.0.0.0", 8545, 30303)
        assert all(word in service["command"][0] for word in kind.command(plan, node, place))
        assert service["ports"] == [f"127.0.0.1:{node.rpc_port}:8545"], "reachable from this machine alone"
        address = service["networks"]["chain"]["ipv4_address"]
        assert peer == f"enode://{node.public_key}@{address}:30303?discport=0"
        for mount in service["volumes"]:
            source = mount.split(":")[0]
            assert source == f"{node.name}-data" or (tmp_path / "net" / source).exists(), source
        targets = [mount.split(":")[1] for mount in service["volumes"]]
        assert {"/node/genesis.json", "/node/nodekey", f"/node/{kind.peers_file()}"} < set(targets)


def test_gas_is_free_on_every_client(tmp_path: Path) -> None:
    for client in CLIENTS:
        plan, _ = made(tmp_path / client, client)
        words = client_of(client).command(plan, plan.nodes[0], Place("x", "/f", "127.0.0.1", 1, 2))
        assert "--min-gas-price=0" in words or words[words.index("--miner.gasprice") + 1] == "0"


def test_only_validators_make_blocks(tmp_path: Path) -> None:
    for client in ("geth", "goquorum"):
        plan, _ = made(tmp_path / client, client, nodes=2, validators=1)
        first, second = (client_of(client).command(plan, n, Place("x", "/f", "127.0.0.1", 1, 2)) for n in plan.nodes)
        assert "--mine" in first and "--mine" not in second


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"nodes": 0}, "1 to 20 nodes"),
        ({"nodes": 21}, "1 to 20 nodes"),
        ({"nodes": 2, "validators": 3}, "at least one"),
        ({"validators": 0}, "at least one"),
        ({"base_port": 80}, "base port"),
        ({"block_gas_limit": 900_000_000}, "700,000,000"),
        ({"block_period_s": 0}, "1 and 60 s"),
        ({"chain_id": 0}, "at least 1"),
    ],
)
def test_a_network_that_cannot_be_is_refused_and_leaves_nothing(
    wanted: dict[str, int], said: str, tmp_path: Path
) -> None:
    with pytest.raises(Invalid, match=said):
        create(tmp_path / "net", Wanted("geth", **wanted))  # type: ignore[arg-type]
    assert not (tmp_path / "net").exists()


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(Conflict, match="not empty"):
        create(tmp_path, Wanted("geth"))
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_what_is_no_network_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="sdt network create"):
        load_plan(tmp_path)
    (tmp_path / "network.json").write_text('{"client": "parity"}')
    with pytest.raises(Invalid, match=r"network\.json"):
        load_plan(tmp_path)


def test_a_program_that_is_not_there_is_named_with_what_to_do(tmp_path: Path) -> None:
    plan, _ = made(tmp_path / "net", "besu")
    with pytest.raises(NetworkFailed, match="--binary"):
        find_binary(plan, "no-such-program")


# The settings that join it


def test_its_settings_join_a_platform(tmp_path: Path) -> None:
    plan, _ = made(tmp_path / "net", "geth", chain_id=4242)
    settings = load_settings(home=tmp_path / "home", file=tmp_path / "net" / "settings.toml")
    assert settings.chain.chain_id == 4242
    assert settings.chain.urls == plan.urls
    assert settings.chain.finality_blocks == 5
    assert settings.chain.gas_in_flight_max == 2 * plan.block_gas_limit


def test_a_home_remembers_the_chain_that_it_joined(tmp_path: Path) -> None:
    plan, _ = made(tmp_path / "net", "goquorum")
    home = tmp_path / "home"
    home.mkdir()
    join(home, chain_of(plan))
    settings = load_settings(home=home)
    assert settings.chain.urls == plan.urls and settings.chain.chain_id == 1337
    # The nodes may change; a variable still wins over them all.
    join(home, Chain({"a": "http://127.0.0.1:1"}, 1337, 1, 30_000_000))
    assert load_settings(home=home).chain.urls == ("http://127.0.0.1:1",)


def test_a_home_stays_on_its_chain(tmp_path: Path) -> None:
    deployment = {
        "chain_id": 7919, "region": "US-TX", "registry": "0x", "settlement": "0x", "tokens": [],
        "chain_key": "0x", "block_number": 1, "block_hash": "0x",
    }  # fmt: skip
    (tmp_path / "deployment.json").write_text(json.dumps(deployment))
    with pytest.raises(Conflict, match="7919, not 1337"):
        join(tmp_path, Chain({"a": "http://127.0.0.1:1"}, 1337, 1, 30_000_000))
    assert not (tmp_path / "settings.toml").exists()


def test_settings_written_by_hand_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("[default.api]\nport = 8080\n")
    with pytest.raises(Conflict, match="by hand"):
        join(tmp_path, Chain({"a": "http://127.0.0.1:1"}, 1337, 1, 30_000_000))
    assert load_settings(home=tmp_path).api.port == 8080


def test_a_mistake_in_a_homes_settings_is_named(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("[default.chain]\nchian_id = 1\n")
    with pytest.raises(ConfigurationInvalid, match="chian_id"):
        load_settings(home=tmp_path)
    (tmp_path / "settings.toml").write_text('[default]\nhome = "/elsewhere"\n')
    assert load_settings(home=tmp_path).home == tmp_path


# The command


def test_create_says_what_to_do_next(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    done = CliRunner().invoke(app, ["network", "create", str(folder), "--client", "besu", "--base-port", "21000"])
    assert done.exit_code == 0, done.output
    assert "sdt network start" in done.output and "docker compose" in done.output
    assert [(node.p2p_port, node.rpc_port) for node in load_plan(folder).nodes][:2] == [(21000, 21001), (21002, 21003)]


def test_status_of_a_network_that_is_down_is_a_failure(tmp_path: Path) -> None:
    made(tmp_path / "net", "geth", nodes=1)
    done = CliRunner().invoke(app, ["network", "status", str(tmp_path / "net"), "--json"])
    assert done.exit_code == 1
    assert json.loads(done.output)["state"] == "down"
