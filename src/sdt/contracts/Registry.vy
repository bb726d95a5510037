# pragma version 0.4.3
# pragma evm-version london
"""
@title  Registry of a region
@license Apache-2.0
@notice Who may sign what: keys with their roles, accounts with their handles and identities, and the digest of the
        rules in force. Signers read it from their own node, so that no server of the region has to be trusted.
@dev    A key word is: account (160 bits) | roles (16) | scope (8) | status (8) | expires (40) | zero (24).
        Keys are Ed25519 public keys; the chain cannot check their signatures, the three signers do.
"""

# The account and its handle, as bound for ever.
event AccountRegistered:
    account: indexed(address)
    handle: indexed(bytes32)

event KeySet:
    public_key: indexed(bytes32)
    account: indexed(address)
    key_word: bytes32

event IdentityAttested:
    account: indexed(address)
    domain: indexed(uint256)
    tier: uint256
    resident: bool
    expires: uint256
    evidence: bytes32

event RulesSet:
    digest: indexed(bytes32)
    effective: uint256

struct Administrator:
    public_key: bytes32
    key_word: bytes32

struct Identity:
    tier: uint256
    resident: bool
    expires: uint256

struct Rules:
    digest: bytes32
    effective: uint256

BAD_ITEM: constant(uint256) = 10
ALREADY_EXISTS: constant(uint256) = 11

ROLES_AT: constant(uint256) = 80
STATUS_AT: constant(uint256) = 64
EXPIRES_AT: constant(uint256) = 24
ACTIVE: constant(uint256) = 1
REVOKED: constant(uint256) = 2
MASK_40: constant(uint256) = (1 << 40) - 1

CLIENT: constant(uint256) = 1
CUSTODIAN: constant(uint256) = 2
ISSUER: constant(uint256) = 4
APPROVER: constant(uint256) = 8
ADMINISTRATOR: constant(uint256) = 128
# Custodian, issuer and approver are three people: no key holds two of these.
SEPARATE: constant(uint256) = CUSTODIAN | ISSUER | APPROVER
ALL_ROLES: constant(uint256) = 255

SETTLEMENT: immutable(address)
REGION: immutable(bytes32)

key_of: public(HashMap[bytes32, bytes32])
handle_of: public(HashMap[address, bytes32])
account_of: public(HashMap[bytes32, address])

# By account and domain: expires (40 bits) | tier (8) | resident (8). The evidence's digest is in the event.
_identities: HashMap[address, HashMap[uint256, uint256]]
_rules: Rules
_next_rules: Rules


@deploy
def __init__(settlement: address, region: bytes32, administrators: DynArray[Administrator, 16]):
    """
    @param settlement The only contract that may write here; its address is predicted, for it is deployed after.
    @param region The region's id, such as "US-TX", in ASCII, padded with zeros on the right.
    @param administrators The first keys that may grant roles; every later key goes back to these.
    """
    assert settlement != empty(address), "registry: no settlement"
    assert region != empty(bytes32), "registry: no region"
    assert len(administrators) > 0, "registry: no administrators"
    SETTLEMENT = settlement
    REGION = region
    for first: Administrator in administrators:
        word: uint256 = convert(first.key_word, uint256)
        assert self._is_official(word), "registry: bad key word"
        assert (word >> ROLES_AT) & ADMINISTRATOR != 0, "registry: not an administrator"
        assert (word >> STATUS_AT) & 255 == ACTIVE, "registry: key not active"
        assert (word >> EXPIRES_AT) & MASK_40 > block.timestamp, "registry: key expired"
        assert first.public_key != empty(bytes32), "registry: no key"
        assert self.key_of[first.public_key] == empty(bytes32), "registry: key twice"
        self._set_key(first.public_key, empty(address), first.key_word)


# --- called by Settlement ----------------------------------------------------------------------------------------


@external
def register(account: address, public_key: bytes32, key_word: bytes32, handle: bytes32) -> uint256:
    """
    @notice Open an account with its first key, and bind its handle to it.
    @return 0, or the reason to skip.
    """
    assert msg.sender == SETTLEMENT, "registry: only settlement"
    word: uint256 = convert(key_word, uint256)
    if account == empty(address) or public_key == empty(bytes32) or handle == empty(bytes32):
        return BAD_ITEM
    if not self._is_client_of(word, account) or (word >> STATUS_AT) & 255 != ACTIVE:
        return BAD_ITEM
    if self.handle_of[account] != empty(bytes32) or self.account_of[handle] != empty(address):
        return ALREADY_EXISTS
    if self.key_of[public_key] != empty(bytes32):
        return ALREADY_EXISTS
    self.handle_of[account] = handle
    self.account_of[handle] = account
    log AccountRegistered(account=account, handle=handle)
    self._set_key(public_key, account, key_word)
    return 0


@external
def set_key(account: address, public_key: bytes32, key_word: bytes32) -> uint256:
    """
    @notice Add a key, change it, or revoke it. It never passes to another account, and once revoked stays so.
    @param account The zero address for an official's key, which holds roles instead of tokens.
    @return 0, or the reason to skip.
    """
    assert msg.sender == SETTLEMENT, "registry: only settlement"
    word: uint256 = convert(key_word, uint256)
    if public_key == empty(bytes32):
        return BAD_ITEM
    if account == empty(address):
        if not self._is_official(word):
            return BAD_ITEM
    elif not self._is_client_of(word, account) or self.handle_of[account] == empty(bytes32):
        return BAD_ITEM
    known: uint256 = convert(self.key_of[public_key], uint256)
    if known == 0:
        if (word >> STATUS_AT) & 255 == REVOKED:
            return BAD_ITEM
    elif known >> 96 != word >> 96 or (known >> STATUS_AT) & 255 == REVOKED:
        return ALREADY_EXISTS
    self._set_key(public_key, account, key_word)
    return 0


@external
def identify(
    account: address, domain: uint256, tier: uint256, resident: bool, expires: uint256, evidence: bytes32
) -> uint256:
    """
    @notice Record who stands behind an account in one domain. Tier 0 says that nobody does any more.
    @return 0, or the reason to skip.
    """
    assert msg.sender == SETTLEMENT, "registry: only settlement"
    if self.handle_of[account] == empty(bytes32) or tier > 255 or expires > MASK_40:
        return BAD_ITEM
    if tier != 0 and expires <= block.timestamp:
        return BAD_ITEM
    self._identities[account][domain] = (expires << 16) | (tier << 8) | (1 if resident else 0)
    log IdentityAttested(
        account=account, domain=domain, tier=tier, resident=resident, expires=expires, evidence=evidence
    )
    return 0


@external
def set_rules(digest: bytes32, effective: uint256) -> uint256:
    """
    @notice Put a rules file in force from a time on, in place of any that was still to come.
    @return 0, or the reason to skip.
    """
    assert msg.sender == SETTLEMENT, "registry: only settlement"
    if digest == empty(bytes32) or effective > MASK_40:
        return BAD_ITEM
    if self._next_rules.digest != empty(bytes32) and self._next_rules.effective <= block.timestamp:
        self._rules = self._next_rules
    self._next_rules = Rules(digest=digest, effective=effective)
    log RulesSet(digest=digest, effective=effective)
    return 0


@internal
def _set_key(public_key: bytes32, account: address, key_word: bytes32):
    self.key_of[public_key] = key_word
    log KeySet(public_key=public_key, account=account, key_word=key_word)


@internal
@pure
def _is_well_formed(word: uint256) -> bool:
    status: uint256 = (word >> STATUS_AT) & 255
    return word & ((1 << EXPIRES_AT) - 1) == 0 and (status == ACTIVE or status == REVOKED)


@internal
@pure
def _is_client_of(word: uint256, account: address) -> bool:
    # A client's message can never make an officer: an account's keys hold the client role alone.
    is_client: bool = (word >> ROLES_AT) & 65535 == CLIENT
    return is_client and self._is_well_formed(word) and word >> 96 == convert(account, uint256)


@internal
@pure
def _is_official(word: uint256) -> bool:
    roles: uint256 = (word >> ROLES_AT) & 65535
    separate: uint256 = roles & SEPARATE
    if roles == 0 or roles & CLIENT != 0 or roles > ALL_ROLES or word >> 96 != 0:
        return False
    return separate & unsafe_sub(separate, 1) == 0 and self._is_well_formed(word)


# --- for readers ---------------------------------------------------------------------------------------------------


@external
@view
def identity_of(account: address, domain: uint256) -> Identity:
    facts: uint256 = self._identities[account][domain]
    return Identity(tier=(facts >> 8) & 255, resident=facts & 255 == 1, expires=facts >> 16)


@external
@view
def rules_digest() -> bytes32:
    """
    @return The digest of the rules file in force at this block; zero before the first.
    """
    if self._next_rules.effective <= block.timestamp and self._next_rules.digest != empty(bytes32):
        return self._next_rules.digest
    return self._rules.digest


@external
@view
def rules() -> (Rules, Rules):
    """
    @return The rules last replaced, and the ones last set, which are in force once they are effective.
    """
    return self._rules, self._next_rules


@external
@view
def settlement() -> address:
    return SETTLEMENT


@external
@view
def region() -> bytes32:
    return REGION
