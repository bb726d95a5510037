# pragma version 0.4.3
# pragma evm-version london
"""
@title  Settlement of a region
@license Apache-2.0
@notice The one way in: batches that the region's chain key signed, each naming its number and its parent head, so
        that none is applied twice, out of order, or on another history. A bad item is skipped and reported; it
        never holds up the others. An item names one token, so no value passes from one token or domain to another,
        except by an exchange: two tokens of two regions, both or none, through a gate that each region has opened.
@dev    head' = keccak256(head | number | root); root is the Merkle root of the signed messages (RFC 9162), which
        each signer builds itself and a receipt proves against.
"""

struct AccountState:
    balance: uint256
    eligible_until: uint256
    frozen_until: uint256
    freeze_order: bytes32

struct ReserveState:
    attested: uint256
    as_of: uint256
    valid_until: uint256
    attested_sequence: uint256
    sequence: uint256
    funded: uint256
    released: uint256
    reserve: uint256
    supply: uint256

struct TokenState:
    token: address
    domain: uint256
    symbol: String[12]
    decimals: uint8
    paused: bool
    supply: uint256
    reserve: uint256
    valid_until: uint256

# What one region lets through to or from one other, for one pair of tokens and in one direction.
struct Gate:
    pool_and_cap: uint256  # pool (160 bits) | daily cap (96)
    rate: uint256  # bought (128 bits) for sold (128)
    passed: uint256  # expires (40 bits, high) | passed today (96) | day (32)

struct GateState:
    pool: address
    daily_cap: uint256
    left_today: uint256
    bought: uint256
    sold: uint256
    expires: uint256
    open: bool

interface Token:
    def settle(word0: uint256, word1: uint256) -> uint256: nonpayable
    def attest(amount: uint256, as_of: uint256, valid_until: uint256, sequence: uint256) -> uint256: nonpayable
    def fund(amount: uint256, sequence: uint256, evidence: bytes32) -> uint256: nonpayable
    def release(amount: uint256, sequence: uint256, evidence: bytes32) -> uint256: nonpayable
    def set_eligible(account: address, until: uint256): nonpayable
    def freeze(account: address, order: bytes32, until: uint256): nonpayable
    def seize(account: address, to: address, order: bytes32, amount: uint256) -> uint256: nonpayable
    def set_mint_allowance(minter: address, limit: uint256, period: uint256) -> uint256: nonpayable
    def set_paused(paused: bool): nonpayable
    def settlement() -> address: view
    def domain() -> uint256: view
    def symbol() -> String[12]: view
    def decimals() -> uint8: view
    def paused() -> bool: view
    def account_state(account: address) -> AccountState: view
    def reserve_state() -> ReserveState: view

interface Registry:
    def register(account: address, public_key: bytes32, key_word: bytes32, handle: bytes32) -> uint256: nonpayable
    def set_key(account: address, public_key: bytes32, key_word: bytes32) -> uint256: nonpayable
    def identify(
        account: address, domain: uint256, tier: uint256, resident: bool, expires: uint256, evidence: bytes32
    ) -> uint256: nonpayable
    def set_rules(digest: bytes32, effective: uint256) -> uint256: nonpayable
    def settlement() -> address: view
    def region() -> bytes32: view

interface Peer:
    def pay(sells: uint256, buys: uint256, sold: uint256, payee: address, bought: uint256) -> uint256: nonpayable

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

# Both legs of an exchange, in the region where it was asked for: what the payer gave to the pool here.
event Exchanged:
    number: indexed(uint256)
    payer: indexed(address)
    peer: indexed(address)
    sells: uint256
    sold: uint256
    buys: uint256
    payee: address
    bought: uint256

# The second leg, in the region whose pool paid.
event ExchangePaid:
    peer: indexed(address)
    payee: indexed(address)
    sells: uint256
    sold: uint256
    buys: uint256
    bought: uint256

event GateSet:
    peer: indexed(address)
    token: indexed(uint256)
    side: indexed(uint256)
    their_token: uint256
    pool: address
    daily_cap: uint256
    bought: uint256
    sold: uint256
    expires: uint256

event ChainKeyProposed:
    successor: indexed(address)
    not_before: uint256

event ChainKeyReplaced:
    previous: indexed(address)
    chain_key: indexed(address)

# Why an item is skipped; 0 is success. The same numbers everywhere: sdt.domain.batch.SkipReason.
BAD_ITEM: constant(uint256) = 10
UNKNOWN_TOKEN: constant(uint256) = 12
GATE_CLOSED: constant(uint256) = 15
GATE_RATE: constant(uint256) = 16
GATE_CAP_SPENT: constant(uint256) = 17
POOL_UNAVAILABLE: constant(uint256) = 18
EXCHANGE_FAILED: constant(uint256) = 19
# What a token says of a payer and of a payee who is a pool.
INSUFFICIENT_FUNDS: constant(uint256) = 1
PAYER_FROZEN: constant(uint256) = 2
PAYEE_FROZEN: constant(uint256) = 3
PAYER_NOT_ELIGIBLE: constant(uint256) = 4
PAYEE_NOT_ELIGIBLE: constant(uint256) = 5

ITEMS_MAX: constant(uint256) = 500
VALUE_ITEM_BYTES: constant(uint256) = 64
ADMIN_ITEM_BYTES: constant(uint256) = 128
EXCHANGE_ITEM_BYTES: constant(uint256) = 96
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
SEIZE: constant(uint256) = 11
MINT_ALLOWANCE: constant(uint256) = 12
GATE: constant(uint256) = 13

# The two sides of a gate: our pool takes what our account sells, or it pays what their account buys.
TAKES: constant(uint256) = 1
PAYS: constant(uint256) = 2
# The most gas that one exchange may burn, so that another region's contract cannot stop a batch.
EXCHANGE_GAS: constant(uint256) = 250_000

MASK_160: constant(uint256) = (1 << 160) - 1
MASK_128: constant(uint256) = (1 << 128) - 1
MASK_96: constant(uint256) = (1 << 96) - 1
MASK_64: constant(uint256) = (1 << 64) - 1
MASK_40: constant(uint256) = (1 << 40) - 1
MASK_32: constant(uint256) = (1 << 32) - 1
DAY: constant(uint256) = 86400
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
# By keccak256(their Settlement, our token, their token, side).
_gates: HashMap[bytes32, Gate]


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
    @notice Settle a batch of what officials decide: keys, identities, freezes, rules, reserves, allowances, gates.
            It moves no value, but for what an order seizes.
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


@external
def exchange(
    number: uint256,
    parent: bytes32,
    root: bytes32,
    deadline: uint256,
    items: Bytes[ITEMS_MAX * EXCHANGE_ITEM_BYTES],
):
    """
    @notice Settle a batch that exchanges with other regions: each item moves both its legs or neither.
    @param deadline The last second of chain time at which the batch may still be taken.
    @param items 96 bytes an item: from here | sold (96), to there | bought (96), their Settlement | our token (16) |
           their token (16) | zero (64).
    """
    head: bytes32 = self._advance(number, parent, root, deadline)
    count: uint256 = len(items) // EXCHANGE_ITEM_BYTES
    assert count > 0 and count * EXCHANGE_ITEM_BYTES == len(items), "settlement: length"
    skipped: uint256[2] = [0, 0]
    for position: uint256 in range(count, bound=ITEMS_MAX):
        at: uint256 = position * EXCHANGE_ITEM_BYTES
        reason: uint256 = self._exchange(
            number,
            extract32(items, at, output_type=uint256),
            extract32(items, at + 32, output_type=uint256),
            extract32(items, at + 64, output_type=uint256),
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
    if kind == SEIZE or kind == MINT_ALLOWANCE:
        return self._of_token(kind, account, token, word1, convert(word2, uint256), convert(word3, uint256))
    if kind == GATE:
        param: uint256 = (head >> 16) & ((1 << 80) - 1)
        return self._set_gate(
            account, token, param, convert(word1, uint256), convert(word2, uint256), convert(word3, uint256)
        )
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


@internal
def _of_token(
    kind: uint256, account: address, token: uint256, word1: bytes32, second: uint256, third: uint256
) -> uint256:
    if token >= len(self._tokens):
        return UNKNOWN_TOKEN
    if kind == MINT_ALLOWANCE:
        return extcall Token(self._tokens[token]).set_mint_allowance(account, convert(word1, uint256), second)
    if second > MASK_160:
        return BAD_ITEM
    return extcall Token(self._tokens[token]).seize(account, convert(second, address), word1, third)


# --- exchange between regions --------------------------------------------------------------------------------------


@internal
def _set_gate(
    peer: address, token: uint256, param: uint256, pool_and_cap: uint256, rate: uint256, expires: uint256
) -> uint256:
    side: uint256 = param >> 16
    their_token: uint256 = param & 65535
    if token >= len(self._tokens):
        return UNKNOWN_TOKEN
    if (side != TAKES and side != PAYS) or peer == self or not peer.is_contract:
        return BAD_ITEM
    if expires != 0:
        if expires <= block.timestamp or expires > MASK_40:
            return BAD_ITEM
        if pool_and_cap >> 96 == 0 or pool_and_cap & MASK_96 == 0 or rate >> 128 == 0 or rate & MASK_128 == 0:
            return BAD_ITEM
    gate: bytes32 = self._gate_id(peer, token, their_token, side)
    # What passed today stays counted: setting a gate anew never gives its cap twice.
    today: uint256 = self._gates[gate].passed & ((1 << 128) - 1)
    self._gates[gate] = Gate(pool_and_cap=pool_and_cap, rate=rate, passed=(expires << 128) | today)
    log GateSet(
        peer=peer,
        token=token,
        side=side,
        their_token=their_token,
        pool=convert(pool_and_cap >> 96, address),
        daily_cap=pool_and_cap & MASK_96,
        bought=rate >> 128,
        sold=rate & MASK_128,
        expires=expires,
    )
    return 0


@internal
def _exchange(number: uint256, word0: uint256, word1: uint256, word2: uint256) -> uint256:
    # In a frame of its own, so that a refused second leg takes the first one back. With less gas than a frame may
    # need, the whole batch reverts: whoever sends it cannot make its items fail.
    assert msg.gas > EXCHANGE_GAS + EXCHANGE_GAS // 16, "settlement: gas"
    success: bool = False
    answer: Bytes[32] = b""
    success, answer = raw_call(
        self,
        abi_encode(number, word0, word1, word2, method_id=method_id("carry_out(uint256,uint256,uint256,uint256)")),
        max_outsize=32,
        gas=EXCHANGE_GAS,
        revert_on_failure=False,
    )
    if success:
        return 0
    if len(answer) != 32:
        return EXCHANGE_FAILED
    reason: uint256 = extract32(answer, 0, output_type=uint256)
    return reason if 0 < reason and reason < EXCHANGE_FAILED else EXCHANGE_FAILED


@external
def carry_out(number: uint256, word0: uint256, word1: uint256, word2: uint256):
    """
    @notice Both legs of one exchange. Called by this contract itself alone; reverts with the reason to skip.
    """
    assert msg.sender == self, "settlement: only itself"
    reason: uint256 = self._carry_out(number, word0, word1, word2)
    if reason != 0:
        raw_revert(abi_encode(reason))


@internal
def _carry_out(number: uint256, word0: uint256, word1: uint256, word2: uint256) -> uint256:
    payer: address = convert(word0 >> 96, address)
    sold: uint256 = word0 & MASK_96
    payee: address = convert(word1 >> 96, address)
    bought: uint256 = word1 & MASK_96
    peer: address = convert(word2 >> 96, address)
    sells: uint256 = (word2 >> 80) & 65535
    buys: uint256 = (word2 >> 64) & 65535
    if word2 & MASK_64 != 0 or sold == 0 or bought == 0:
        return BAD_ITEM
    if sells >= len(self._tokens):
        return UNKNOWN_TOKEN
    gate: bytes32 = self._gate_id(peer, sells, buys, TAKES)
    reason: uint256 = self._gate_fault(gate, TAKES, sold, bought)
    if reason != 0:
        return reason
    self._count(gate, sold)
    pool: uint256 = self._gates[gate].pool_and_cap >> 96
    reason = extcall Token(self._tokens[sells]).settle(word0, (pool << 96) | (sells << 16))
    if reason == PAYEE_FROZEN or reason == PAYEE_NOT_ELIGIBLE:
        return POOL_UNAVAILABLE
    if reason != 0:
        return reason
    # Last, for this is another region's code.
    reason = extcall Peer(peer).pay(sells, buys, sold, payee, bought)
    if reason == 0:
        log Exchanged(
            number=number,
            payer=payer,
            peer=peer,
            sells=sells,
            sold=sold,
            buys=buys,
            payee=payee,
            bought=bought,
        )
    return reason


@external
def pay(sells: uint256, buys: uint256, sold: uint256, payee: address, bought: uint256) -> uint256:
    """
    @notice The second leg: our pool pays what was bought from us in the calling region, within the gate that we opened
            to it. Nothing else here obeys another region.
    @param sells Their token's place in their list; `buys` is ours.
    @return 0, or the reason to skip; then nothing changed, and the caller takes the first leg back.
    """
    if sells > 65535 or sold == 0 or sold > MASK_96 or bought == 0 or bought > MASK_96:
        return BAD_ITEM
    if buys >= len(self._tokens):
        return UNKNOWN_TOKEN
    gate: bytes32 = self._gate_id(msg.sender, buys, sells, PAYS)
    reason: uint256 = self._gate_fault(gate, PAYS, sold, bought)
    if reason != 0:
        return reason
    pool: uint256 = self._gates[gate].pool_and_cap >> 96
    reason = extcall Token(self._tokens[buys]).settle(
        (pool << 96) | bought, (convert(payee, uint256) << 96) | (buys << 16)
    )
    if reason == INSUFFICIENT_FUNDS or reason == PAYER_FROZEN or reason == PAYER_NOT_ELIGIBLE:
        return POOL_UNAVAILABLE
    if reason != 0:
        return reason
    self._count(gate, bought)
    log ExchangePaid(peer=msg.sender, payee=payee, sells=sells, sold=sold, buys=buys, bought=bought)
    return 0


@internal
@pure
def _gate_id(peer: address, token: uint256, their_token: uint256, side: uint256) -> bytes32:
    return keccak256(abi_encode(peer, token, their_token, side))


@internal
@view
def _gate_fault(gate: bytes32, side: uint256, sold: uint256, bought: uint256) -> uint256:
    passed: uint256 = self._gates[gate].passed
    if passed >> 128 <= block.timestamp:
        return GATE_CLOSED
    rate: uint256 = self._gates[gate].rate
    fair: uint256 = sold * (rate >> 128) // (rate & MASK_128)
    # Each region guards its own: the one that takes sees that its account gets the rate, the other that no more
    # than the rate leaves its pool. Where both set the same, exactly the rate passes, rounded down.
    if (side == TAKES and bought < fair) or (side == PAYS and bought > fair):
        return GATE_RATE
    counted: uint256 = sold if side == TAKES else bought
    if self._passed_today(passed) + counted > self._gates[gate].pool_and_cap & MASK_96:
        return GATE_CAP_SPENT
    return 0


@internal
def _count(gate: bytes32, amount: uint256):
    passed: uint256 = self._gates[gate].passed
    total: uint256 = self._passed_today(passed) + amount
    self._gates[gate].passed = ((passed >> 128) << 128) | (total << 32) | (block.timestamp // DAY)


@internal
@view
def _passed_today(passed: uint256) -> uint256:
    return (passed >> 32) & MASK_96 if passed & MASK_32 == block.timestamp // DAY else 0


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
def token_states() -> DynArray[TokenState, TOKENS_MAX]:
    """
    @notice Every token of the region with its domain, supply and reserve, in one call and as of one block.
    """
    found: DynArray[TokenState, TOKENS_MAX] = []
    for i: uint256 in range(len(self._tokens), bound=TOKENS_MAX):
        token: address = self._tokens[i]
        reserve: ReserveState = staticcall Token(token).reserve_state()
        found.append(
            TokenState(
                token=token,
                domain=self._domains[i],
                symbol=staticcall Token(token).symbol(),
                decimals=staticcall Token(token).decimals(),
                paused=staticcall Token(token).paused(),
                supply=reserve.supply,
                reserve=reserve.reserve,
                valid_until=reserve.valid_until,
            )
        )
    return found


@external
@view
def holdings_of(account: address) -> DynArray[AccountState, TOKENS_MAX]:
    """
    @notice What each token of the region holds of an account, in the tokens' order.
    """
    found: DynArray[AccountState, TOKENS_MAX] = []
    for token: address in self._tokens:
        found.append(staticcall Token(token).account_state(account))
    return found


@external
@view
def gate(peer: address, token: uint256, their_token: uint256, side: uint256) -> GateState:
    """
    @notice The gate to another region's Settlement for a pair of tokens.
    @param side 1: our pool takes what our accounts sell; 2: our pool pays what their accounts buy.
    """
    found: Gate = self._gates[self._gate_id(peer, token, their_token, side)]
    cap: uint256 = found.pool_and_cap & MASK_96
    passed: uint256 = min(self._passed_today(found.passed), cap)
    return GateState(
        pool=convert(found.pool_and_cap >> 96, address),
        daily_cap=cap,
        left_today=cap - passed,
        bought=found.rate >> 128,
        sold=found.rate & MASK_128,
        expires=found.passed >> 128,
        open=found.passed >> 128 > block.timestamp,
    )


@external
@view
def registry() -> address:
    return REGISTRY


@external
@view
def region() -> bytes32:
    return REGION
