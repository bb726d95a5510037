# pragma version 0.4.3
# pragma evm-version london
"""
@title  Settlement of a region
@license Apache-2.0
@notice The one way in: batches that the region's chain key signed, each naming its number and its parent head, so
        that none is applied twice, out of order, or on another history. A bad item is skipped and reported; it
        never holds up the others. An item names one token, so no value passes from one token or domain to another.
@dev    head' = keccak256(head | number | root); root is the Merkle root of the signed messages (RFC 9162), which
        each signer builds itself and a receipt proves against.
"""

interface Token:
    def settle(word0: uint256, word1: uint256) -> uint256: nonpayable
    def attest(amount: uint256, as_of: uint256, valid_until: uint256, sequence: uint256) -> uint256: nonpayable
    def fund(amount: uint256, sequence: uint256, evidence: bytes32) -> uint256: nonpayable
    def release(amount: uint256, sequence: uint256, evidence: bytes32) -> uint256: nonpayable
    def set_eligible(account: address, until: uint256): nonpayable
    def freeze(account: address, order: bytes32, until: uint256): nonpayable
    def set_paused(paused: bool): nonpayable
    def settlement() -> address: view
    def domain() -> uint256: view

interface Registry:
    def register(account: address, public_key: bytes32, key_word: bytes32, handle: bytes32) -> uint256: nonpayable
    def set_key(account: address, public_key: bytes32, key_word: bytes32) -> uint256: nonpayable
    def identify(
        account: address, domain: uint256, tier: uint256, resident: bool, expires: uint256, evidence: bytes32
    ) -> uint256: nonpayable
    def set_rules(digest: bytes32, effective: uint256) -> uint256: nonpayable
    def settlement() -> address: view
    def region() -> bytes32: view

event BatchSettled:
    number: indexed(uint256)
    root: bytes32
    head: bytes32
    count: uint256
    skipped: uint256[2]

event ItemSkipped:
    number: indexed(uint256)
    position: uint256
    reason: uint256

event ChainKeyProposed:
    successor: indexed(address)
    not_before: uint256

event ChainKeyReplaced:
    previous: indexed(address)
    chain_key: indexed(address)

# Why an item is skipped; 0 is success. The same numbers everywhere: sdt.domain.batch.SkipReason.
BAD_ITEM: constant(uint256) = 10
UNKNOWN_TOKEN: constant(uint256) = 12

ITEMS_MAX: constant(uint256) = 500
VALUE_ITEM_BYTES: constant(uint256) = 64
ADMIN_ITEM_BYTES: constant(uint256) = 128
TOKENS_MAX: constant(uint256) = 16
EVERY_TOKEN: constant(uint256) = 255

REGISTER: constant(uint256) = 1
SET_KEY: constant(uint256) = 2
IDENTITY: constant(uint256) = 3
FREEZE: constant(uint256) = 4
UNFREEZE: constant(uint256) = 5
SET_RULES: constant(uint256) = 6
ATTEST: constant(uint256) = 7
FUND: constant(uint256) = 8
RELEASE: constant(uint256) = 9
PAUSE: constant(uint256) = 10

MASK_128: constant(uint256) = (1 << 128) - 1
MASK_40: constant(uint256) = (1 << 40) - 1
SUCCESSION_DELAY: constant(uint256) = 3 * 86400

REGISTRY: immutable(address)
REGION: immutable(bytes32)

chain_key: public(address)
number: public(uint256)
head: public(bytes32)
successor: public(address)
successor_not_before: public(uint256)

_tokens: DynArray[address, TOKENS_MAX]
# By place in the list, so that an identity reaches its domain's tokens without asking each.
_domains: DynArray[uint256, TOKENS_MAX]


@deploy
def __init__(chain_key: address, region: bytes32, registry: address, tokens: DynArray[address, TOKENS_MAX]):
    """
    @param chain_key The address of the key that the three locations share.
    @param region The region's id, the same that the Registry holds.
    @param registry Deployed before, with this contract's predicted address.
    @param tokens Deployed before, likewise; an item names a token by its place in this list, which never changes.
    """
    assert chain_key != empty(address), "settlement: no chain key"
    assert staticcall Registry(registry).settlement() == self, "settlement: not this registry"
    assert staticcall Registry(registry).region() == region, "settlement: another region"
    assert len(tokens) > 0, "settlement: no tokens"
    for token: address in tokens:
        assert staticcall Token(token).settlement() == self, "settlement: not this token"
        assert token not in self._tokens, "settlement: token twice"
        self._tokens.append(token)
        self._domains.append(staticcall Token(token).domain())
    REGISTRY = registry
    REGION = region
    self.chain_key = chain_key
    log ChainKeyReplaced(previous=empty(address), chain_key=chain_key)


# --- batches -------------------------------------------------------------------------------------------------------


@external
def settle(
    number: uint256, parent: bytes32, root: bytes32, deadline: uint256, items: Bytes[ITEMS_MAX * VALUE_ITEM_BYTES]
):
    """
    @notice Settle a batch that moves value.
    @param deadline The last second of chain time at which the batch may still be taken.
    @param items 64 bytes an item: from | amount (96), to | fee (64) | token (16) | kind (8) | zero (8).
    """
    head: bytes32 = self._advance(number, parent, root, deadline)
    count: uint256 = len(items) // VALUE_ITEM_BYTES
    assert count > 0 and count * VALUE_ITEM_BYTES == len(items), "settlement: length"
    skipped: uint256[2] = [0, 0]
    tokens: DynArray[address, TOKENS_MAX] = self._tokens
    for position: uint256 in range(count, bound=ITEMS_MAX):
        at: uint256 = unsafe_mul(position, VALUE_ITEM_BYTES)
        word0: uint256 = extract32(items, at, output_type=uint256)
        word1: uint256 = extract32(items, unsafe_add(at, 32), output_type=uint256)
        token: uint256 = (word1 >> 16) & 65535
        reason: uint256 = UNKNOWN_TOKEN
        if token < len(tokens):
            # The constructor saw that code is there, and nothing can remove it.
            reason = extcall Token(tokens[token]).settle(word0, word1, skip_contract_check=True)
        if reason != 0:
            skipped[position >> 8] |= 1 << (position & 255)
            log ItemSkipped(number=number, position=position, reason=reason)
    log BatchSettled(number=number, root=root, head=head, count=count, skipped=skipped)


@external
def administer(
    number: uint256, parent: bytes32, root: bytes32, deadline: uint256, items: Bytes[ITEMS_MAX * ADMIN_ITEM_BYTES]
):
    """
    @notice Settle a batch that changes keys, identities, freezes, rules or reserves, and moves no value.
    @param deadline The last second of chain time at which the batch may still be taken.
    @param items 128 bytes an item: account | param (80) | token (8) | kind (8), then three words by kind.
    """
    head: bytes32 = self._advance(number, parent, root, deadline)
    count: uint256 = len(items) // ADMIN_ITEM_BYTES
    assert count > 0 and count * ADMIN_ITEM_BYTES == len(items), "settlement: length"
    skipped: uint256[2] = [0, 0]
    for position: uint256 in range(count, bound=ITEMS_MAX):
        at: uint256 = position * ADMIN_ITEM_BYTES
        reason: uint256 = self._administer(
            extract32(items, at, output_type=uint256),
            extract32(items, at + 32),
            extract32(items, at + 64),
            extract32(items, at + 96),
        )
        if reason != 0:
            skipped[position >> 8] |= 1 << (position & 255)
            log ItemSkipped(number=number, position=position, reason=reason)
    log BatchSettled(number=number, root=root, head=head, count=count, skipped=skipped)


@internal
def _advance(number: uint256, parent: bytes32, root: bytes32, deadline: uint256) -> bytes32:
    assert msg.sender == self.chain_key, "settlement: not the chain key"
    assert number == self.number + 1, "settlement: number"
    assert parent == self.head, "settlement: parent"
    assert block.timestamp <= deadline, "settlement: deadline"
    head: bytes32 = keccak256(concat(parent, convert(number, bytes32), root))
    self.number = number
    self.head = head
    return head


@internal
def _administer(head: uint256, word1: bytes32, word2: bytes32, word3: bytes32) -> uint256:
    account: address = convert(head >> 96, address)
    token: uint256 = (head >> 8) & 255
    kind: uint256 = head & 255
    if kind == REGISTER:
        return extcall Registry(REGISTRY).register(account, word1, word2, word3)
    if kind == SET_KEY:
        return extcall Registry(REGISTRY).set_key(account, word1, word2)
    if kind == IDENTITY:
        return self._identify(account, (head >> 16) & ((1 << 80) - 1), convert(word1, uint256), word2)
    if kind == SET_RULES:
        return extcall Registry(REGISTRY).set_rules(word1, convert(word2, uint256))
    if kind == FREEZE:
        until: uint256 = convert(word2, uint256)
        if until <= block.timestamp or until > MASK_40:
            return BAD_ITEM
        return self._freeze(account, token, word1, until)
    if kind == UNFREEZE:
        return self._freeze(account, token, word1, 0)
    if kind == PAUSE:
        return self._pause(token, convert(word1, uint256))
    if kind == ATTEST or kind == FUND or kind == RELEASE:
        return self._reserve(kind, token, convert(word1, uint256), word2, word3)
    return BAD_ITEM


@internal
def _identify(account: address, param: uint256, expires: uint256, evidence: bytes32) -> uint256:
    domain: uint256 = param >> 16
    tier: uint256 = (param >> 8) & 255
    resident: uint256 = param & 255
    if (domain != 1 and domain != 2) or resident > 1:
        return BAD_ITEM
    reason: uint256 = extcall Registry(REGISTRY).identify(account, domain, tier, resident == 1, expires, evidence)
    if reason != 0:
        return reason
    until: uint256 = expires if tier != 0 else 0
    for i: uint256 in range(len(self._tokens), bound=TOKENS_MAX):
        if self._domains[i] == domain:
            extcall Token(self._tokens[i]).set_eligible(account, until)
    return 0


@internal
def _freeze(account: address, token: uint256, order: bytes32, until: uint256) -> uint256:
    if account == empty(address) or order == empty(bytes32):
        return BAD_ITEM
    if token == EVERY_TOKEN:
        for each: address in self._tokens:
            extcall Token(each).freeze(account, order, until)
        return 0
    if token >= len(self._tokens):
        return UNKNOWN_TOKEN
    extcall Token(self._tokens[token]).freeze(account, order, until)
    return 0


@internal
def _pause(token: uint256, paused: uint256) -> uint256:
    if paused > 1:
        return BAD_ITEM
    if token == EVERY_TOKEN:
        for each: address in self._tokens:
            extcall Token(each).set_paused(paused == 1)
        return 0
    if token >= len(self._tokens):
        return UNKNOWN_TOKEN
    extcall Token(self._tokens[token]).set_paused(paused == 1)
    return 0


@internal
def _reserve(kind: uint256, token: uint256, amount: uint256, word2: bytes32, word3: bytes32) -> uint256:
    if token >= len(self._tokens):
        return UNKNOWN_TOKEN
    target: address = self._tokens[token]
    second: uint256 = convert(word2, uint256)
    if kind == FUND:
        return extcall Token(target).fund(amount, second, word3)
    if kind == RELEASE:
        return extcall Token(target).release(amount, second, word3)
    return extcall Token(target).attest(
        amount, second >> 128, second & MASK_128, convert(word3, uint256)
    )


# --- succession of the chain key -----------------------------------------------------------------------------------


@external
def propose_chain_key(successor: address):
    """
    @notice Name the key that will take over, or withdraw the proposal with the zero address.
    @dev    Signers sign this only for two administrators; the delay leaves time to notice one that was not theirs.
    """
    assert msg.sender == self.chain_key, "settlement: not the chain key"
    self.successor = successor
    self.successor_not_before = block.timestamp + SUCCESSION_DELAY
    log ChainKeyProposed(successor=successor, not_before=self.successor_not_before)


@external
def accept_chain_key():
    """
    @notice Take over, which proves that the new key can sign.
    """
    assert msg.sender == self.successor, "settlement: not the successor"
    assert block.timestamp >= self.successor_not_before, "settlement: too early"
    log ChainKeyReplaced(previous=self.chain_key, chain_key=msg.sender)
    self.chain_key = msg.sender
    self.successor = empty(address)


# --- for readers ---------------------------------------------------------------------------------------------------


@external
@view
def tokens() -> DynArray[address, TOKENS_MAX]:
    """
    @return The region's tokens; an item names one by its place here.
    """
    return self._tokens


@external
@view
def registry() -> address:
    return REGISTRY


@external
@view
def region() -> bytes32:
    return REGION
