"""Admin items: keys, accounts, identities, freezes, rules; what each records, and when it is skipped."""

from __future__ import annotations

from dataclasses import replace

import pytest
from region_on_chain import ALICE, BOB, CAROL, DOLLAR, GOLD, SILVER, RegionOnChain

from sdt.domain.batch import EVERY_TOKEN, AdminItem, AdminKind, SkipReason
from sdt.domain.registry import (
    NEVER_S,
    NOBODY,
    Domain,
    KeyStatus,
    KeyWord,
    Role,
    handle_hash,
    pack_key_word,
    unpack_key_word,
)

ERIN = "0x" + "e1" * 20
KEY = b"\x4b" * 32
OTHER_KEY = b"\x4c" * 32
ORDER = b"\x0d" * 32


def skip_of(region: RegionOnChain, item: AdminItem) -> SkipReason | None:
    return region.administer(item).skipped.get(0)


def key_on_chain(region: RegionOnChain, public_key: bytes) -> KeyWord:
    return unpack_key_word(region.read("Registry", region.registry, "key_of", public_key))


class TestRegister:
    """An account, its first key and its handle come into being together, once."""

    def test_the_registry_answers_for_key_handle_and_account(self, region: RegionOnChain) -> None:
        key = KeyWord(ERIN, Role.CLIENT, expires_s=region.now_s + 1_000)

        outcome = region.administer(AdminItem.register(ERIN, KEY, key, "erin"))

        assert outcome.skipped == {}
        assert key_on_chain(region, KEY) == key
        assert region.read("Registry", region.registry, "handle_of", ERIN) == handle_hash("erin")
        assert region.read("Registry", region.registry, "account_of", handle_hash("erin")) == ERIN
        assert outcome.events("Registry", region.registry, "AccountRegistered") == [(ERIN, handle_hash("erin"))]
        assert outcome.events("Registry", region.registry, "KeySet") == [(KEY, ERIN, pack_key_word(key))]

    def test_account_key_and_handle_are_each_taken_once(self, region: RegionOnChain) -> None:
        alices_key = b"\1" * 32
        taken = [
            AdminItem.register(ALICE, KEY, KeyWord(ALICE, Role.CLIENT), "erin"),
            AdminItem.register(ERIN, alices_key, KeyWord(ERIN, Role.CLIENT), "erin"),
            AdminItem.register(ERIN, KEY, KeyWord(ERIN, Role.CLIENT), "user1"),
            AdminItem.register(ERIN, b"\xa1" * 32, KeyWord(ERIN, Role.CLIENT), "erin"),  # an administrator's
        ]

        outcome = region.administer(*taken)

        assert outcome.skipped == dict.fromkeys(range(len(taken)), SkipReason.ALREADY_EXISTS)
        assert region.read("Registry", region.registry, "handle_of", ERIN) == bytes(32)

    def test_of_two_in_one_batch_the_first_gets_the_handle(self, region: RegionOnChain) -> None:
        outcome = region.administer(
            AdminItem.register(ERIN, KEY, KeyWord(ERIN, Role.CLIENT), "erin"),
            AdminItem.register("0x" + "e2" * 20, OTHER_KEY, KeyWord("0x" + "e2" * 20, Role.CLIENT), "erin"),
        )

        assert outcome.skipped == {1: SkipReason.ALREADY_EXISTS}

    @pytest.mark.parametrize("roles", [Role(0), Role.ADMINISTRATOR, Role.CLIENT | Role.ISSUER, Role(2**15)])
    def test_registering_cannot_make_an_officer(self, region: RegionOnChain, roles: Role) -> None:
        assert skip_of(region, AdminItem.register(ERIN, KEY, KeyWord(ERIN, roles), "erin")) is SkipReason.BAD_ITEM
        assert key_on_chain(region, KEY).status is KeyStatus.NONE

    def test_what_is_malformed_is_skipped(self, region: RegionOnChain) -> None:
        good = AdminItem.register(ERIN, KEY, KeyWord(ERIN, Role.CLIENT), "erin")
        _, word, handle = good.words
        bad = [
            replace(good, account=NOBODY),
            replace(good, words=(bytes(32), word, handle)),
            replace(good, words=(KEY, word, bytes(32))),
            replace(good, words=(KEY, pack_key_word(KeyWord(ALICE, Role.CLIENT)), handle)),
            replace(good, words=(KEY, word[:31] + b"\1", handle)),
            replace(good, words=(KEY, pack_key_word(KeyWord(ERIN, Role.CLIENT, 0, KeyStatus.REVOKED)), handle)),
        ]

        outcome = region.administer(*bad)

        assert outcome.skipped == dict.fromkeys(range(len(bad)), SkipReason.BAD_ITEM)


class TestSetKey:
    """Keys are added, changed and revoked; they never change hands and never come back."""

    def test_an_account_gets_a_second_key_and_loses_its_first(self, region: RegionOnChain) -> None:
        first, second = b"\1" * 32, KeyWord(ALICE, Role.CLIENT, expires_s=NEVER_S - 1)
        outcome = region.administer(
            AdminItem.set_key(KEY, second),
            AdminItem.set_key(first, KeyWord(ALICE, Role.CLIENT, status=KeyStatus.REVOKED)),
        )

        assert outcome.skipped == {}
        assert key_on_chain(region, KEY) == second
        assert not key_on_chain(region, first).may(Role.CLIENT, region.now_s)

    def test_an_official_gets_a_role(self, region: RegionOnChain) -> None:
        officer = KeyWord(NOBODY, Role.COMPLIANCE_OFFICER, scope=1, expires_s=region.now_s + 9)

        assert skip_of(region, AdminItem.set_key(KEY, officer)) is None
        assert key_on_chain(region, KEY) == officer

    def test_a_revoked_key_stays_revoked(self, region: RegionOnChain) -> None:
        active = KeyWord(NOBODY, Role.ISSUER)
        region.administer(
            AdminItem.set_key(KEY, active), AdminItem.set_key(KEY, replace(active, status=KeyStatus.REVOKED))
        )

        assert skip_of(region, AdminItem.set_key(KEY, active)) is SkipReason.ALREADY_EXISTS
        assert key_on_chain(region, KEY).status is KeyStatus.REVOKED

    def test_a_key_never_passes_to_another_account(self, region: RegionOnChain) -> None:
        for thief in (KeyWord(BOB, Role.CLIENT), KeyWord(NOBODY, Role.ISSUER)):
            assert skip_of(region, AdminItem.set_key(b"\1" * 32, thief)) is SkipReason.ALREADY_EXISTS
        assert skip_of(region, AdminItem.set_key(b"\xa1" * 32, KeyWord(BOB, Role.CLIENT))) is (
            SkipReason.ALREADY_EXISTS
        )

    @pytest.mark.parametrize(
        "key",
        [
            KeyWord(ERIN, Role.CLIENT),  # no such account
            KeyWord(ALICE, Role.ISSUER),  # an account's key holds no office
            KeyWord(ALICE, Role.CLIENT | Role.ADMINISTRATOR),
            KeyWord(NOBODY, Role.CLIENT),  # a client without an account
            KeyWord(NOBODY, Role(0)),
            KeyWord(NOBODY, Role(256)),  # no such role
            KeyWord(NOBODY, Role.CUSTODIAN | Role.ISSUER),
            KeyWord(NOBODY, Role.ISSUER | Role.APPROVER),
            KeyWord(NOBODY, Role.CUSTODIAN | Role.APPROVER | Role.ADMINISTRATOR),
            KeyWord(NOBODY, Role.ISSUER, status=KeyStatus.NONE),
            KeyWord(NOBODY, Role.ISSUER, status=KeyStatus.REVOKED),  # nothing to revoke
        ],
        ids=lambda key: f"{key.account[2:6]}-{int(key.roles)}-{key.status.name}",
    )
    def test_a_key_that_may_not_be_is_skipped(self, region: RegionOnChain, key: KeyWord) -> None:
        assert skip_of(region, AdminItem.set_key(KEY, key)) is SkipReason.BAD_ITEM
        assert key_on_chain(region, KEY).status is KeyStatus.NONE

    def test_no_key_and_another_account_in_the_word_are_skipped(self, region: RegionOnChain) -> None:
        word = pack_key_word(KeyWord(ALICE, Role.CLIENT))
        bad = [
            AdminItem(AdminKind.SET_KEY, ALICE, words=(bytes(32), word, bytes(32))),
            AdminItem(AdminKind.SET_KEY, BOB, words=(KEY, word, bytes(32))),
        ]

        assert set(region.administer(*bad).skipped.values()) == {SkipReason.BAD_ITEM}


class TestIdentity:
    """An identity in a domain opens every token of that domain, and no other."""

    def test_it_reaches_every_token_of_its_domain(self, region: RegionOnChain) -> None:
        until, evidence = region.now_s + 1_000, b"\xee" * 32

        outcome = region.administer(AdminItem.identity(ALICE, Domain.CASH, 3, True, until, evidence))

        assert [region.token(t, "is_eligible", ALICE) for t in (GOLD, SILVER)] == [True, True]
        assert region.token(GOLD, "account_state", ALICE) == (0, until, 0, bytes(32))
        assert region.token(DOLLAR, "account_state", ALICE) == (50_000, NEVER_S, 0, bytes(32))
        assert region.read("Registry", region.registry, "identity_of", ALICE, Domain.CASH) == (3, True, until)
        assert outcome.events("Registry", region.registry, "IdentityAttested") == [
            (ALICE, Domain.CASH, 3, True, until, evidence)
        ]
        assert outcome.events("Token", region.tokens[SILVER], "EligibilitySet") == [(ALICE, until)]

    def test_tier_zero_takes_it_away(self, region: RegionOnChain) -> None:
        region.administer(AdminItem.identity(CAROL, Domain.CASH, 0, False, 0, bytes(32)))

        assert [region.token(t, "is_eligible", CAROL) for t in (GOLD, SILVER)] == [False, False]
        assert region.balance(GOLD, CAROL) == 20_000

    def test_what_is_malformed_is_skipped(self, region: RegionOnChain) -> None:
        good = AdminItem.identity(ALICE, Domain.CASH, 1, True, NEVER_S, bytes(32))
        bad = [
            replace(good, account=ERIN),  # not registered
            replace(good, account=NOBODY),
            replace(good, param=0 << 16 | 1 << 8),
            replace(good, param=3 << 16 | 1 << 8),
            replace(good, param=(2**63 | 2) << 16 | 1 << 8),
            replace(good, param=2 << 16 | 1 << 8 | 2),
            AdminItem.identity(ALICE, Domain.CASH, 1, True, region.now_s, bytes(32)),  # already over
            AdminItem.identity(ALICE, Domain.CASH, 1, True, 2**40, bytes(32)),
        ]

        outcome = region.administer(*bad)

        assert outcome.skipped == dict.fromkeys(range(len(bad)), SkipReason.BAD_ITEM)
        assert region.token(GOLD, "is_eligible", ALICE) is False


class TestFreeze:
    """A freeze names an order and when it ends; what it stops is in test_value.py."""

    def test_it_is_announced_with_its_order(self, region: RegionOnChain) -> None:
        outcome = region.administer(
            AdminItem.freeze(ALICE, DOLLAR, ORDER, NEVER_S), AdminItem.unfreeze(ALICE, DOLLAR, b"\x0e" * 32)
        )

        dollar = region.tokens[DOLLAR]
        assert outcome.events("Token", dollar, "AddressFrozen") == [
            (ALICE, True, region.settlement),
            (ALICE, False, region.settlement),
        ]
        assert outcome.events("Token", dollar, "FreezeOrdered") == [
            (ALICE, ORDER, NEVER_S),
            (ALICE, b"\x0e" * 32, 0),
        ]

    def test_balance_and_identity_stay_as_they_are(self, region: RegionOnChain) -> None:
        region.administer(AdminItem.freeze(ALICE, EVERY_TOKEN, ORDER, region.now_s + 99))

        assert region.token(DOLLAR, "account_state", ALICE) == (50_000, NEVER_S, region.now_s - 1 + 99, ORDER)
        assert [region.token(t, "isFrozen", ALICE) for t in (DOLLAR, GOLD, SILVER)] == [True] * 3

    def test_somebody_not_registered_can_be_frozen_ahead(self, region: RegionOnChain) -> None:
        assert skip_of(region, AdminItem.freeze(ERIN, EVERY_TOKEN, ORDER, NEVER_S)) is None

    def test_what_is_malformed_is_skipped(self, region: RegionOnChain) -> None:
        outcome = region.administer(
            AdminItem.freeze(ALICE, DOLLAR, ORDER, region.now_s),
            AdminItem.freeze(ALICE, DOLLAR, ORDER, 2**40),
            AdminItem.freeze(NOBODY, DOLLAR, ORDER, NEVER_S),
            AdminItem.freeze(ALICE, DOLLAR, bytes(32), NEVER_S),
            AdminItem.unfreeze(ALICE, DOLLAR, bytes(32)),
            AdminItem.freeze(ALICE, 3, ORDER, NEVER_S),
            AdminItem.unfreeze(ALICE, 254, ORDER),
            AdminItem.pause(3, True),
            AdminItem(AdminKind.PAUSE, words=(b"\0" * 31 + b"\2", bytes(32), bytes(32))),
        )

        assert list(outcome.skipped.values()) == [SkipReason.BAD_ITEM] * 5 + [SkipReason.UNKNOWN_TOKEN] * 3 + [
            SkipReason.BAD_ITEM
        ]
        assert region.token(DOLLAR, "isFrozen", ALICE) is False


class TestRules:
    """The digest of the rules in force, by the chain's clock."""

    def digest(self, region: RegionOnChain) -> bytes:
        answer = region.read("Registry", region.registry, "rules_digest")
        assert isinstance(answer, bytes)
        return answer

    def test_rules_take_effect_at_their_time(self, region: RegionOnChain) -> None:
        first, second, at = b"\1" * 32, b"\2" * 32, region.now_s + 1_000
        assert self.digest(region) == bytes(32)

        region.administer(AdminItem.set_rules(first, region.now_s), AdminItem.set_rules(second, at))

        assert self.digest(region) == first
        region.now_s = at - 1
        assert self.digest(region) == first
        region.now_s = at
        assert self.digest(region) == second

    def test_rules_still_to_come_are_replaced(self, region: RegionOnChain) -> None:
        first, never, third, at = b"\1" * 32, b"\2" * 32, b"\3" * 32, region.now_s + 1_000
        region.administer(
            AdminItem.set_rules(first, 0), AdminItem.set_rules(never, at), AdminItem.set_rules(third, at + 1)
        )

        region.now_s = at
        assert self.digest(region) == first
        assert region.read("Registry", region.registry, "rules") == ((first, 0), (third, at + 1))

    @pytest.mark.parametrize(("digest", "effective_s"), [(bytes(32), 1), (b"\1" * 32, 2**40)])
    def test_what_is_malformed_is_skipped(self, region: RegionOnChain, digest: bytes, effective_s: int) -> None:
        assert skip_of(region, AdminItem.set_rules(digest, effective_s)) is SkipReason.BAD_ITEM


def test_only_settlement_writes_to_the_registry(region: RegionOnChain) -> None:
    word = pack_key_word(KeyWord(NOBODY, Role.ADMINISTRATOR))
    calls: list[tuple[str, tuple[object, ...]]] = [
        ("register", (ERIN, KEY, word, ORDER)),
        ("set_key", (NOBODY, KEY, word)),
        ("identify", (ALICE, 1, 1, True, NEVER_S, ORDER)),
        ("set_rules", (ORDER, 1)),
    ]

    for key in (region.chain_key, region.deployer, region.stranger):
        for function, values in calls:
            outcome = region.write(key, "Registry", region.registry, function, *values)
            assert outcome.error == "registry: only settlement", function
