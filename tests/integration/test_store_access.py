"""How PostgreSQL is reached: over TLS with proof, by passwords and tokens that change, and through a pooler."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

import outside
import pooler
import postgres
from postgres import Cluster
from sdt.adapters import rds
from sdt.adapters.aws import client
from sdt.adapters.vault import SealedFile
from sdt.backends import open_database
from sdt.config import Settings, load_settings
from sdt.config.model import Aws
from sdt.domain.errors import Unavailable
from sdt.domain.transaction import Status
from sdt.store import Access, Store, events, open_store, transactions
from sdt.store.access import role_settings
from sdt.store.database import connect
from server_certificate import Made, server_certificate
from store_rig import NOW_MS, accepted, empty, screened, transaction_id

pytestmark = pytest.mark.slow

HOST = "localhost"


@pytest.fixture(scope="module")
def certificate() -> Made:
    return server_certificate(HOST)


@pytest.fixture(scope="module")
def guarded(certificate: Made) -> Iterator[Cluster]:
    """A cluster that lets the role `clerk` in over TLS and with its password alone."""
    binaries = postgres.binaries()
    if binaries is None:
        outside.lacking(postgres.HOW_TO_GET_IT)
    with postgres.own_cluster(binaries) as made:
        open_store(made.url, migrate=True).close()
        made.stop()
        made.write("server.crt", certificate.certificate)
        made.write("server.key", certificate.key)
        made.write(
            "pg_hba.conf",
            "host all sdt 127.0.0.1/32 trust\nhost all sdt ::1/128 trust\n"
            "hostssl all clerk 127.0.0.1/32 scram-sha-256\nhostssl all clerk ::1/128 scram-sha-256\n",
        )
        made.start("ssl=on")
        admin = connect(made.url)
        admin.execute("CREATE ROLE clerk LOGIN PASSWORD 'first'")
        admin.execute("GRANT pg_read_all_data, pg_write_all_data TO clerk")
        admin.close()
        yield made


@pytest.fixture
def admin(guarded: Cluster) -> Iterator[Store]:
    store = connect(guarded.url)
    yield store
    store.close()


def clerks_url(cluster: Cluster, host: str = HOST) -> str:
    return f"postgresql://clerk@{host}:{cluster.port}/sdt"


def roots(folder: Path, made: Made) -> Path:
    path = folder / "roots.pem"
    path.write_text(made.root)
    return path


def known_to_the_server(admin: Store, word: str) -> None:
    """Change the clerk's password at the server."""
    admin.database.connection().execute(f"ALTER ROLE clerk PASSWORD '{word}'")


def password(admin: Store, word: str) -> None:
    """Change the clerk's password and end the clerk's connections, as a rotation and a failover would."""
    known_to_the_server(admin, word)
    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'clerk'")


# TLS


def test_the_server_must_prove_that_it_is_the_host_of_the_address(
    guarded: Cluster, certificate: Made, admin: Store, tmp_path: Path
) -> None:
    password(admin, "first")
    access = Access(lambda: "first", roots(tmp_path, certificate))
    store = open_store(clerks_url(guarded), access=access)
    assert store.row("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == (True,)
    store.close()


def test_a_server_by_another_authority_is_refused(guarded: Cluster, admin: Store, tmp_path: Path) -> None:
    password(admin, "first")
    other = roots(tmp_path, server_certificate(HOST))
    with pytest.raises(Unavailable) as refused:
        open_store(clerks_url(guarded), access=Access(lambda: "first", other))
    assert "SSL error" in str(refused.value.__cause__)


def test_a_server_of_another_name_is_refused(guarded: Cluster, certificate: Made, admin: Store, tmp_path: Path) -> None:
    password(admin, "first")
    access = Access(lambda: "first", roots(tmp_path, certificate))
    with pytest.raises(Unavailable) as refused:
        open_store(clerks_url(guarded, "127.0.0.1"), access=access)
    assert "does not match host name" in str(refused.value.__cause__)


def test_a_server_without_tls_is_refused(migrated_postgres: str, certificate: Made, tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as refused:
        open_store(migrated_postgres, access=Access(root_file=roots(tmp_path, certificate)))
    assert "does not support SSL" in str(refused.value.__cause__)


# Passwords


@pytest.fixture
def settings(guarded: Cluster, certificate: Made, tmp_path: Path) -> Settings:
    """Settings of a platform whose database is the guarded one."""
    return load_settings(
        home=tmp_path,
        overrides={
            "database.url": clerks_url(guarded),
            "database.tls": "verify-full",
            "database.tls_root_file": str(roots(tmp_path, certificate)),
            "database.password_secret": "database/password",
        },
    )


@pytest.mark.parametrize("form", ["{}", '{{"username": "clerk", "password": "{}"}}'])
async def test_a_password_that_was_rotated_in_the_vault_is_used_without_a_restart(
    settings: Settings, admin: Store, form: str
) -> None:
    # Given a store with the vault's password
    vault = SealedFile.open(settings.vault.sealed_file, settings.vault.key_file, settings.vault.passphrase_file)
    vault.put("database/password", form.format("first").encode())
    password(admin, "first")
    store = open_database(settings)
    assert await store.run(transactions.counts_by_status) == {}
    # When the password is changed at the server and in the vault, and the connections end
    vault.rotate("database/password", form.format("second").encode())
    password(admin, "second")
    # Then the same store goes on
    assert await store.run(transactions.counts_by_status) == {}
    assert await store.read(transactions.counts_by_status) == {}
    # And one that the server does not know is no way in
    password(admin, "third")
    with pytest.raises(Unavailable):
        await store.run(transactions.counts_by_status)
    store.close()


async def test_a_token_is_signed_anew_for_each_connection(
    settings: Settings, admin: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a server that takes a token once: what RDS does by its signature and time, done by the role's password here
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-a-test")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    tokens: list[str] = []
    sign = rds.auth_token

    def shown_to_the_server(aws: Aws, url: str) -> str:
        tokens.append(sign(aws, url))
        known_to_the_server(admin, tokens[-1])
        return tokens[-1]

    monkeypatch.setattr(rds, "auth_token", shown_to_the_server)
    iam = settings.database.model_copy(update={"login": "iam", "password_secret": ""})
    store = open_database(settings.model_copy(update={"database": iam}))
    try:
        await store.run(transactions.counts_by_status)
        before = len(tokens)
        # When the connection ends and the old token is worth nothing any more
        await asyncio.sleep(1.1)
        password(admin, "another")
        await store.run(transactions.counts_by_status)
        # Then another one was signed
        assert len(tokens) == before + 1 and tokens[-1] != tokens[-2]
    finally:
        store.close()
    # And it says what RDS asks for: the host and port of the address, the user, and fifteen minutes
    token = urlsplit(f"https://{tokens[-1]}")
    said = parse_qs(token.query)
    assert token.netloc == f"{HOST}:{urlsplit(settings.database.url).port}"
    assert (said["Action"], said["DBUser"], said["X-Amz-Expires"]) == (["connect"], ["clerk"], ["900"])
    assert "of-a-test" not in tokens[-1]


def test_without_credentials_there_is_no_token_and_that_is_an_outage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a machine whose role is not told, as for a moment after it starts
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    settings = load_settings(home=tmp_path).aws
    # Then whoever wants a connection tries again later, as with any other outage
    with pytest.raises(Unavailable) as refused:
        rds.auth_token(settings, "postgresql://clerk@sdt.proxy.example/sdt")
    assert refused.value.code == "aws_unreachable"


def test_a_token_is_the_one_that_amazons_library_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-a-test")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session/of+a=test")
    settings = load_settings(home=tmp_path, overrides={"aws.region": "us-east-2"}).aws
    asked = {"DBHostname": "sdt.proxy.example", "Port": 5432, "DBUsername": "a b", "Region": "us-east-2"}
    # Both are of one second, or of two that follow each other.
    made = {client("rds", settings).generate_db_auth_token(**asked) for _ in range(2)}
    assert rds.auth_token(settings, "postgresql://a%20b@sdt.proxy.example/sdt") in made | {
        client("rds", settings).generate_db_auth_token(**asked)
    }


# A pooler


@pytest.fixture(scope="module")
def pooled_url(migrated_postgres: str) -> Iterator[str]:
    """The migrated database behind a pooler with two sessions for everybody."""
    program = pooler.binary()
    if program is None:
        outside.lacking(pooler.HOW_TO_GET_IT)
    with pooler.pooler(program, migrated_postgres, sessions=2) as url:
        yield url


async def test_many_processes_share_a_few_sessions_and_leave_them_as_they_were(
    pooled_url: str, postgres_store_url: str
) -> None:
    # Given twelve processes' stores and two sessions
    stores = [open_store(pooled_url, access=Access(pooled=True)) for _ in range(12)]
    direct = open_store(postgres_store_url)

    # When each writes, moves and reads more often than makes psycopg prepare a statement
    async def work(process: int, store: Store) -> None:
        for turn in range(8):
            n = process * 100 + turn
            await store.run(screened, accepted(n))
            assert (await store.read(transactions.get_many, [transaction_id(n)]))[transaction_id(n)].status is (
                Status.SCREENED
            )

    await asyncio.gather(*(work(process, store) for process, store in enumerate(stores)))

    # Then all of it is there, by few sessions, none of which has anything prepared or set
    assert direct.row("SELECT count(*) FROM transactions WHERE status = 'screened'") == (96,)
    events.seal(direct, NOW_MS)
    assert events.verify_seals(direct) == 1
    (sessions,) = direct.row("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sdt' AND state = 'idle'")
    assert sessions <= 2 + 2
    for store in stores[:2]:
        assert await store.read(lambda s: s.rows("SELECT name FROM pg_prepared_statements")) == []
        assert await store.read(lambda s: s.row("SHOW default_transaction_read_only")) == ("off",)
    for store in stores:
        store.close()
    direct.close()


async def test_a_process_behind_a_pooler_connects_when_it_first_uses_the_database(pooled_url: str) -> None:
    asked: list[int] = []

    def count() -> str:
        asked.append(1)
        return ""

    store = open_store(pooled_url, access=Access(count, pooled=True))
    assert asked == []
    await asyncio.gather(store.run(transactions.counts_by_status), store.read(transactions.counts_by_status))
    assert asked == [1]
    store.close()


async def test_a_pooler_refuses_what_the_direct_way_asks_of_a_session(pooled_url: str) -> None:
    with pytest.raises(Unavailable) as refused:
        open_store(pooled_url)
    assert "unsupported startup parameter" in str(refused.value.__cause__)


async def test_behind_a_pooler_the_limits_are_the_roles(pooled_url: str, postgres_store_url: str) -> None:
    # Given a role with what `sdt db role` prints
    admin = open_store(postgres_store_url)
    empty(admin)
    admin.execute("DROP ROLE IF EXISTS pooled_clerk")
    admin.execute("CREATE ROLE pooled_clerk LOGIN")
    for statement in role_settings("pooled_clerk", Access(statement_s=7, lock_s=3, idle_in_transaction_s=5)):
        admin.execute(statement)
    # Then a new session of it, which asks for nothing, has them
    found = connect(postgres_store_url.replace("//sdt@", "//pooled_clerk@"), Access(pooled=True))
    settings = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "jit")
    assert [found.row(f"SHOW {name}")[0] for name in settings] == ["7s", "3s", "5s", "off"]
    found.close()
    admin.execute("DROP ROLE pooled_clerk")
    admin.close()
