# pragma version 0.4.3
# pragma evm-version london
"""
@title  State Depository Token
@license Apache-2.0
@notice One asset of one region. Value moves only through the region's Settlement contract, which carries out what
        holders signed. Reads as ERC-20; a wallet's own transfers are refused.
@dev    One storage slot an account, so that a transfer reads and writes two slots and looks nothing else up:
        balance (128 bits, low) | eligible until (40) | frozen until (40) | zero (48), times in unix seconds.
        Every balance fits 128 bits because supply never passes SUPPLY_MAX.
"""

# ERC-20
event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

# ERC-3643
event AddressFrozen:
    userAddress: indexed(address)
    isFrozen: indexed(bool)
    owner: indexed(address)

# What an order takes from a frozen account, besides the Transfer.
event Seized:
    account: indexed(address)
    to: indexed(address)
    order: indexed(bytes32)
    amount: uint256

# Who issued, besides the Transfer from the zero address.
event Mint:
    minter: indexed(address)
    to: indexed(address)
    amount: uint256

event MintAllowanceSet:
    minter: indexed(address)
    limit: uint256
    period: uint256

event Paused:
    userAddress: address

event Unpaused:
    userAddress: address

event FreezeOrdered:
    account: indexed(address)
    order: indexed(bytes32)
    until: uint256

event EligibilitySet:
    account: indexed(address)
    until: uint256

event ReserveAttested:
    amount: uint256
    as_of: uint256
    valid_until: uint256
    sequence: uint256

event ReserveFunded:
    sequence: indexed(uint256)
    amount: uint256
    evidence: indexed(bytes32)

event ReserveReleased:
    sequence: indexed(uint256)
    amount: uint256
    evidence: indexed(bytes32)

struct Attestation:
    amount: uint256
    as_of: uint256
    valid_until: uint256
    sequence: uint256

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

struct AccountState:
    balance: uint256
    eligible_until: uint256
    frozen_until: uint256
    freeze_order: bytes32

# Why an item is skipped; 0 is success. The same numbers everywhere: sdt.domain.batch.SkipReason.
INSUFFICIENT_FUNDS: constant(uint256) = 1
PAYER_FROZEN: constant(uint256) = 2
PAYEE_FROZEN: constant(uint256) = 3
PAYER_NOT_ELIGIBLE: constant(uint256) = 4
PAYEE_NOT_ELIGIBLE: constant(uint256) = 5
OVER_RESERVE: constant(uint256) = 6
ATTESTATION_STALE: constant(uint256) = 7
MINT_ALLOWANCE_SPENT: constant(uint256) = 8
PAUSED: constant(uint256) = 9
BAD_ITEM: constant(uint256) = 10
BAD_SEQUENCE: constant(uint256) = 13
NOT_FROZEN: constant(uint256) = 14

# kind (8 bits) and the zero byte that end an item
TRANSFER: constant(uint256) = 0 << 8
MINT: constant(uint256) = 1 << 8
BURN: constant(uint256) = 2 << 8

MASK_128: constant(uint256) = (1 << 128) - 1
MASK_96: constant(uint256) = (1 << 96) - 1
MASK_64: constant(uint256) = (1 << 64) - 1
MASK_40: constant(uint256) = (1 << 40) - 1
MASK_32: constant(uint256) = (1 << 32) - 1
SUPPLY_MAX: constant(uint256) = (1 << 127) - 1
NEVER: constant(uint256) = MASK_40
HOUR: constant(uint256) = 3600
DAY: constant(uint256) = 86400
ACCOUNTS_MAX: constant(uint256) = 500
# An attestation may be dated this far ahead of the block: clocks differ.
CLOCK_SKEW: constant(uint256) = 300

SETTLEMENT: immutable(address)
DOMAIN: immutable(uint256)
FEE_ACCOUNT: immutable(address)
DAILY_MINT_ALLOWANCE: immutable(uint256)

name: public(String[64])
symbol: public(String[12])
decimals: public(immutable(uint8))
totalSupply: public(uint256)
paused: public(bool)

_accounts: HashMap[address, uint256]
_freeze_orders: HashMap[address, bytes32]

_attestation: Attestation
_sequence: uint256
# By sequence number, everything funded (high 128 bits) and released (low 128) so far: what an attestation
# does not yet include is one subtraction.
_flows: HashMap[uint256, uint256]
_minted_day: uint256
_minted_today: uint256
# By minter: limit (96 bits, high) | minted in its period (96) | period in seconds (32) | number of that period (32).
# A minter without an entry is bound by the token's own day alone; a limit of zero stops one.
_minters: HashMap[address, uint256]


@deploy
def __init__(
    settlement: address,
    name_: String[64],
    symbol_: String[12],
    decimals_: uint8,
    domain: uint256,
    fee_account: address,
    daily_mint_allowance: uint256,
):
    """
    @param settlement The only contract that may write here; its address is predicted, for it is deployed after.
    @param domain 1 dollar, 2 cash; fixed for ever.
    @param fee_account Where fees go; eligible from the start.
    @param daily_mint_allowance The most that all minters together may mint in one day of chain time (UTC).
    """
    assert settlement != empty(address), "token: no settlement"
    assert fee_account != empty(address), "token: no fee account"
    assert domain == 1 or domain == 2, "token: unknown domain"
    assert len(symbol_) > 0 and len(name_) > 0, "token: no name"
    assert decimals_ <= 18, "token: decimals"
    SETTLEMENT = settlement
    DOMAIN = domain
    FEE_ACCOUNT = fee_account
    DAILY_MINT_ALLOWANCE = daily_mint_allowance
    decimals = decimals_
    self.name = name_
    self.symbol = symbol_
    self._accounts[fee_account] = NEVER << 128
    log EligibilitySet(account=fee_account, until=NEVER)


# --- value: called by Settlement, one item at a time -----------------------------------------------------------


@external
def settle(word0: uint256, word1: uint256) -> uint256:
    """
    @notice Carry out one item, or change nothing and say why not.
    @param word0 from (160 bits) | amount (96). From is a mint's minter: 20 bytes of the issuer's key thumbprint.
    @param word1 to (160 bits) | fee (64) | token (16) | kind (8) | zero (8).
    @return 0, or the reason to skip.
    """
    assert msg.sender == SETTLEMENT, "token: only settlement"
    amount: uint256 = word0 & MASK_96
    if self.paused:
        return PAUSED
    if amount == 0:
        return BAD_ITEM
    payer: address = convert(word0 >> 96, address)
    payee: address = convert(word1 >> 96, address)
    fee: uint256 = (word1 >> 32) & MASK_64
    kind: uint256 = word1 & 65535
    if kind == TRANSFER:
        return self._transfer(payer, payee, amount, fee)
    if kind == MINT and fee == 0:
        return self._mint(payer, payee, amount)
    if kind == BURN and payee == empty(address):
        return self._burn(payer, amount, fee)
    return BAD_ITEM


@internal
def _transfer(payer: address, payee: address, amount: uint256, fee: uint256) -> uint256:
    if payer == empty(address) or payee == empty(address) or payer == payee:
        return BAD_ITEM
    source: uint256 = self._accounts[payer]
    target: uint256 = self._accounts[payee]
    # The common case first, in one look at both slots; who is at fault is asked only when somebody is.
    if not (
        source >> 168 <= block.timestamp
        and (source >> 128) & MASK_40 > block.timestamp
        and target >> 168 <= block.timestamp
        and (target >> 128) & MASK_40 > block.timestamp
    ):
        return self._fault_of(source, target)
    spent: uint256 = unsafe_add(amount, fee)
    if source & MASK_128 < spent:
        return INSUFFICIENT_FUNDS
    if fee != 0:
        reason: uint256 = self._payee_fault(self._accounts[FEE_ACCOUNT])
        if reason != 0:
            return reason
    # Neither wraps: the balance covers both, and balances add up to at most SUPPLY_MAX.
    self._accounts[payer] = unsafe_sub(source, spent)
    self._accounts[payee] = unsafe_add(target, amount)
    log Transfer(sender=payer, receiver=payee, value=amount)
    if fee != 0:
        self._take_fee(payer, fee)
    return 0


@internal
def _mint(minter: address, payee: address, amount: uint256) -> uint256:
    if minter == empty(address) or payee == empty(address):
        return BAD_ITEM
    target: uint256 = self._accounts[payee]
    reason: uint256 = self._payee_fault(target)
    if reason != 0:
        return reason
    if self._attestation.valid_until <= block.timestamp:
        return ATTESTATION_STALE
    supply: uint256 = self.totalSupply + amount
    if supply > min(self._reserve(), SUPPLY_MAX):
        return OVER_RESERVE
    today: uint256 = block.timestamp // DAY
    minted: uint256 = amount
    if self._minted_day == today:
        minted += self._minted_today
    if minted > DAILY_MINT_ALLOWANCE or not self._take_from_allowance(minter, amount):
        return MINT_ALLOWANCE_SPENT
    self._minted_day = today
    self._minted_today = minted
    self.totalSupply = supply
    self._accounts[payee] = unsafe_add(target, amount)
    log Transfer(sender=empty(address), receiver=payee, value=amount)
    log Mint(minter=minter, to=payee, amount=amount)
    return 0


@internal
def _take_from_allowance(minter: address, amount: uint256) -> bool:
    entry: uint256 = self._minters[minter]
    if entry == 0:
        return True
    minted: uint256 = self._minted_by(entry) + amount
    if minted > entry >> 160:
        return False
    self._minters[minter] = self._minter_entry(entry >> 160, minted, (entry >> 32) & MASK_32)
    return True


@internal
@view
def _minted_by(entry: uint256) -> uint256:
    # What was minted in a period that is over does not count.
    period: uint256 = (entry >> 32) & MASK_32
    if period == 0 or entry & MASK_32 != block.timestamp // period:
        return 0
    return (entry >> 64) & MASK_96


@internal
@view
def _minter_entry(limit: uint256, minted: uint256, period: uint256) -> uint256:
    return (limit << 160) | (minted << 64) | (period << 32) | (block.timestamp // period)


@internal
def _burn(payer: address, amount: uint256, fee: uint256) -> uint256:
    if payer == empty(address):
        return BAD_ITEM
    source: uint256 = self._accounts[payer]
    reason: uint256 = self._payer_fault(source)
    spent: uint256 = unsafe_add(amount, fee)
    if reason == 0 and source & MASK_128 < spent:
        reason = INSUFFICIENT_FUNDS
    if reason == 0 and fee != 0:
        reason = self._payee_fault(self._accounts[FEE_ACCOUNT])
    if reason != 0:
        return reason
    self._accounts[payer] = unsafe_sub(source, spent)
    self.totalSupply -= amount
    log Transfer(sender=payer, receiver=empty(address), value=amount)
    if fee != 0:
        self._take_fee(payer, fee)
    return 0


@internal
def _take_fee(payer: address, fee: uint256):
    # Read again: the fee account may have been the payer or the payee just written.
    self._accounts[FEE_ACCOUNT] = unsafe_add(self._accounts[FEE_ACCOUNT], fee)
    log Transfer(sender=payer, receiver=FEE_ACCOUNT, value=fee)


@internal
@view
def _fault_of(source: uint256, target: uint256) -> uint256:
    reason: uint256 = self._payer_fault(source)
    return reason if reason != 0 else self._payee_fault(target)


@internal
@view
def _payer_fault(slot: uint256) -> uint256:
    if slot >> 168 > block.timestamp:
        return PAYER_FROZEN
    if (slot >> 128) & MASK_40 <= block.timestamp:
        return PAYER_NOT_ELIGIBLE
    return 0


@internal
@view
def _payee_fault(slot: uint256) -> uint256:
    if slot >> 168 > block.timestamp:
        return PAYEE_FROZEN
    if (slot >> 128) & MASK_40 <= block.timestamp:
        return PAYEE_NOT_ELIGIBLE
    return 0


# --- reserve: called by Settlement; what the custodian signed --------------------------------------------------


@external
def attest(amount: uint256, as_of: uint256, valid_until: uint256, sequence: uint256) -> uint256:
    """
    @notice Replace the attestation: what the reserve held at a time, funds and releases up to `sequence` included.
    @dev    Less than the supply is recorded as it is: it is the truth, and it stops minting.
    @return 0, or the reason to skip.
    """
    assert msg.sender == SETTLEMENT, "token: only settlement"
    if amount > MASK_96 or valid_until > MASK_40 or valid_until <= max(as_of, block.timestamp):
        return BAD_ITEM
    if as_of < self._attestation.as_of or as_of > block.timestamp + CLOCK_SKEW:
        return BAD_ITEM
    if sequence < self._attestation.sequence or sequence > self._sequence:
        return BAD_SEQUENCE
    self._attestation = Attestation(amount=amount, as_of=as_of, valid_until=valid_until, sequence=sequence)
    log ReserveAttested(amount=amount, as_of=as_of, valid_until=valid_until, sequence=sequence)
    return 0


@external
def fund(amount: uint256, sequence: uint256, evidence: bytes32) -> uint256:
    """
    @notice Record value that entered the reserve.
    @return 0, or the reason to skip.
    """
    reason: uint256 = self._flow(amount << 128, amount, sequence)
    if reason == 0:
        log ReserveFunded(sequence=sequence, amount=amount, evidence=evidence)
    return reason


@external
def release(amount: uint256, sequence: uint256, evidence: bytes32) -> uint256:
    """
    @notice Record value that left the reserve.
    @dev    A release that leaves less than the supply is recorded as well: hiding it would let more be minted.
    @return 0, or the reason to skip.
    """
    reason: uint256 = self._flow(amount, amount, sequence)
    if reason == 0:
        log ReserveReleased(sequence=sequence, amount=amount, evidence=evidence)
    return reason


@internal
def _flow(packed: uint256, amount: uint256, sequence: uint256) -> uint256:
    assert msg.sender == SETTLEMENT, "token: only settlement"
    if amount == 0 or amount > MASK_96:
        return BAD_ITEM
    last: uint256 = self._sequence
    if sequence != last + 1:
        return BAD_SEQUENCE
    self._sequence = sequence
    self._flows[sequence] = self._flows[last] + packed
    return 0


@internal
@view
def _since_attested() -> (uint256, uint256):
    now: uint256 = self._flows[self._sequence]
    included: uint256 = self._flows[self._attestation.sequence]
    return (now >> 128) - (included >> 128), (now & MASK_128) - (included & MASK_128)


@internal
@view
def _reserve() -> uint256:
    funded: uint256 = 0
    released: uint256 = 0
    funded, released = self._since_attested()
    held: uint256 = self._attestation.amount + funded
    return held - released if held > released else 0


# --- flags: called by Settlement -------------------------------------------------------------------------------


@external
def set_eligible(account: address, until: uint256):
    """
    @notice Say until when an account may hold this token; 0 takes the right away and leaves the balance in place.
    """
    assert msg.sender == SETTLEMENT, "token: only settlement"
    slot: uint256 = self._accounts[account]
    self._accounts[account] = (slot & ~(MASK_40 << 128)) | ((until & MASK_40) << 128)
    log EligibilitySet(account=account, until=until)


@external
def freeze(account: address, order: bytes32, until: uint256):
    """
    @notice Stop an account under an order; the latest order counts. `until` 0 lifts it.
    """
    assert msg.sender == SETTLEMENT, "token: only settlement"
    slot: uint256 = self._accounts[account]
    self._accounts[account] = (slot & ((1 << 168) - 1)) | ((until & MASK_40) << 168)
    self._freeze_orders[account] = order
    log AddressFrozen(userAddress=account, isFrozen=until != 0, owner=msg.sender)
    log FreezeOrdered(account=account, order=order, until=until)


@external
def seize(account: address, to: address, order: bytes32, amount: uint256) -> uint256:
    """
    @notice Move what an order names out of a frozen account. Supply stays; so do freeze and identity.
    @dev    Only under a freeze in force, so that a seizure always follows one; only to who may hold this token, so
            that it leads out of no domain; not while the token is paused, when nothing moves.
    @param order The digest of the order that seizes, which need not be the one that froze.
    @return 0, or the reason to skip.
    """
    assert msg.sender == SETTLEMENT, "token: only settlement"
    if self.paused:
        return PAUSED
    if account == empty(address) or to == empty(address) or account == to:
        return BAD_ITEM
    if order == empty(bytes32) or amount == 0 or amount > MASK_96:
        return BAD_ITEM
    source: uint256 = self._accounts[account]
    if source >> 168 <= block.timestamp:
        return NOT_FROZEN
    target: uint256 = self._accounts[to]
    reason: uint256 = self._payee_fault(target)
    if reason != 0:
        return reason
    if source & MASK_128 < amount:
        return INSUFFICIENT_FUNDS
    self._accounts[account] = unsafe_sub(source, amount)
    self._accounts[to] = unsafe_add(target, amount)
    log Transfer(sender=account, receiver=to, value=amount)
    log Seized(account=account, to=to, order=order, amount=amount)
    return 0


@external
def set_mint_allowance(minter: address, limit: uint256, period: uint256) -> uint256:
    """
    @notice Say how much one minter may mint in each period of chain time, counted from 1970; zero stops it.
    @dev    What it minted in the period that runs counts in the new one: a change never gives an allowance twice.
    @return 0, or the reason to skip.
    """
    assert msg.sender == SETTLEMENT, "token: only settlement"
    if minter == empty(address) or limit > MASK_96 or period < HOUR or period > MASK_32:
        return BAD_ITEM
    self._minters[minter] = self._minter_entry(limit, self._minted_by(self._minters[minter]), period)
    log MintAllowanceSet(minter=minter, limit=limit, period=period)
    return 0


@external
def set_paused(paused: bool):
    """
    @notice Stop every movement of this token, or let it go on.
    """
    assert msg.sender == SETTLEMENT, "token: only settlement"
    self.paused = paused
    if paused:
        log Paused(userAddress=msg.sender)
    else:
        log Unpaused(userAddress=msg.sender)


# --- for readers -----------------------------------------------------------------------------------------------


@external
@view
def balanceOf(account: address) -> uint256:
    return self._accounts[account] & MASK_128


@external
@view
def allowance(owner: address, spender: address) -> uint256:
    return 0


@external
@view
def isFrozen(account: address) -> bool:
    return self._accounts[account] >> 168 > block.timestamp


@external
@view
def is_eligible(account: address) -> bool:
    return (self._accounts[account] >> 128) & MASK_40 > block.timestamp


@external
@view
def account_state(account: address) -> AccountState:
    """
    @notice All that this token holds of an account.
    """
    return self._account_state(account)


@external
@view
def account_states(accounts: DynArray[address, ACCOUNTS_MAX]) -> DynArray[AccountState, ACCOUNTS_MAX]:
    """
    @notice All that this token holds of several accounts, in one call and as of one block.
    """
    found: DynArray[AccountState, ACCOUNTS_MAX] = []
    for account: address in accounts:
        found.append(self._account_state(account))
    return found


@external
@view
def balances_of(accounts: DynArray[address, ACCOUNTS_MAX]) -> DynArray[uint256, ACCOUNTS_MAX]:
    """
    @notice The balances of several accounts, in one call and as of one block.
    """
    found: DynArray[uint256, ACCOUNTS_MAX] = []
    for account: address in accounts:
        found.append(self._accounts[account] & MASK_128)
    return found


@internal
@view
def _account_state(account: address) -> AccountState:
    slot: uint256 = self._accounts[account]
    return AccountState(
        balance=slot & MASK_128,
        eligible_until=(slot >> 128) & MASK_40,
        frozen_until=slot >> 168,
        freeze_order=self._freeze_orders[account],
    )


@external
@view
def reserve_state() -> ReserveState:
    """
    @notice What stands behind the supply, and how that was reached.
    """
    funded: uint256 = 0
    released: uint256 = 0
    funded, released = self._since_attested()
    return ReserveState(
        attested=self._attestation.amount,
        as_of=self._attestation.as_of,
        valid_until=self._attestation.valid_until,
        attested_sequence=self._attestation.sequence,
        sequence=self._sequence,
        funded=funded,
        released=released,
        reserve=self._reserve(),
        supply=self.totalSupply,
    )


@external
@view
def mint_allowance() -> (uint256, uint256):
    """
    @return What all minters together may mint in a day, and what of it is left today.
    """
    return DAILY_MINT_ALLOWANCE, self._left_today()


@external
@view
def minter_allowance(minter: address) -> (uint256, uint256, uint256):
    """
    @return What this minter may mint in a period, the period in seconds, and what it may still mint now, which the
            token's own day bounds too.
    """
    left_today: uint256 = self._left_today()
    entry: uint256 = self._minters[minter]
    if entry == 0:
        return DAILY_MINT_ALLOWANCE, DAY, left_today
    limit: uint256 = entry >> 160
    minted: uint256 = min(self._minted_by(entry), limit)
    return limit, (entry >> 32) & MASK_32, min(limit - minted, left_today)


@internal
@view
def _left_today() -> uint256:
    spent: uint256 = self._minted_today if self._minted_day == block.timestamp // DAY else 0
    return DAILY_MINT_ALLOWANCE - spent


@external
@view
def settlement() -> address:
    return SETTLEMENT


@external
@view
def domain() -> uint256:
    return DOMAIN


@external
@view
def fee_account() -> address:
    return FEE_ACCOUNT


# --- the writing half of ERC-20, refused by name ---------------------------------------------------------------


@external
def transfer(to: address, amount: uint256) -> bool:
    raise "token: pay with a signed message"


@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    raise "token: pay with a signed message"


@external
def approve(spender: address, amount: uint256) -> bool:
    raise "token: no allowances"
