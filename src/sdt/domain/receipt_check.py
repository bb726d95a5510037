"""Checks a receipt against what its reader trusts, in steps that can be followed from top to bottom.

Each step is a sentence about what it proved, or a refusal. What no step proves is told too: `Verified.unproven`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from sdt.domain.batch import (
    BATCH_SETTLED_TOPIC,
    EVERY_TOKEN,
    ITEM_SKIPPED_TOPIC,
    AdminKind,
    BatchCall,
    BatchSettled,
    ItemSkipped,
    SkipReason,
    ValueItem,
    ValueKind,
    leaf,
    next_head,
    read_calldata,
    unpack_admin_items,
    unpack_value_items,
    verify_proof,
)
from sdt.domain.batch_items import ADMIN_ITEM_BYTES, VALUE_ITEM_BYTES
from sdt.domain.chain_receipt import ChainReceipt, read_chain_receipt
from sdt.domain.chain_tx import read_signed, transaction_hash
from sdt.domain.envelope import kid_of, open_envelope
from sdt.domain.errors import SdtError, Unprocessable
from sdt.domain.items import adjustment_sides, admin_item, minter_of
from sdt.domain.key_scope import TOKEN_BITS
from sdt.domain.message import Adjust, Issue, Redeem, Signed, Transfer, read_message
from sdt.domain.mpt import prove_index
from sdt.domain.qbft import Header
from sdt.domain.receipt import Receipt
from sdt.domain.receipt_seal import named_block, vouched
from sdt.domain.receipt_trust import Trust
from sdt.domain.receipt_unproven import unproven
from sdt.domain.registry import NOBODY
from sdt.domain.transaction_id import id_bytes

__all__ = ["SETTLED", "ReceiptRefused", "Step", "Verified", "verify"]

SETTLED = "settled"
KEY_SCOPE_AT = 22
"""Where a key word has its scope. Source: `registry.pack_key_word`."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was checked, and what it proved."""

    title: str
    proved: str


class ReceiptRefused(Unprocessable):
    """A receipt that does not prove what it says. `passed` are the steps before the one that failed."""

    code = "receipt_refused"

    def __init__(self, step: str, cause: SdtError, passed: tuple[Step, ...]) -> None:
        super().__init__(f"{step}: {cause.detail}", step=step, cause=cause.code)
        self.step = step
        self.why = cause.detail
        self.passed = passed


@dataclass(frozen=True, slots=True)
class Verified:
    """What a receipt proves.

    Shape: `outcome` is `settled`, or why the chain skipped the item; `sealed` names what made the block believed:
    `validators`, `signer`, `known_block` or `nothing`. Units: block_time_s in unix seconds.
    """

    signed: Signed
    outcome: str
    batch_number: int
    position: int
    chain_transaction: bytes
    block_number: int
    block_hash: bytes
    block_time_s: int
    sealed: str
    steps: tuple[Step, ...]
    unproven: tuple[str, ...]


@dataclass
class _Walk:
    """Takes one step after the other, and tells how far it came when one fails."""

    steps: list[Step] = field(default_factory=list)

    def step(self, title: str, check: Callable[P, tuple[T, str]], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            found, proved = check(*args, **kwargs)
        except SdtError as error:
            raise ReceiptRefused(title, error, tuple(self.steps)) from error
        self.steps.append(Step(title, proved))
        return found


def verify(receipt: Receipt, trust: Trust) -> Verified:
    """Check a receipt, which may come from anybody, against what is trusted.

    Errors: ReceiptRefused, with the step that failed.
    """
    walk = _Walk()
    signed = walk.step("The message is signed", _message, receipt, trust)
    header = walk.step("The block is the one named", named_block, receipt)
    sent, call = walk.step("The region's chain key sent the batch in it", _sent, receipt, header, trust)
    walk.step("The message is in the batch", _in_batch, receipt, signed, call)
    walk.step("The item says what the message says", _item, receipt, signed, call, trust)
    answer = walk.step("The chain carried the batch out", _answer, receipt, header)
    settled, reasons = walk.step("The Settlement contract took it", _settled, answer, call, receipt, trust)
    outcome = walk.step("What became of the item", _outcome, receipt, settled, reasons)
    sealed = walk.step("Who vouches for the block", vouched, header, trust.anchor)
    return Verified(
        signed=signed,
        outcome=outcome,
        batch_number=call.number,
        position=receipt.batch.position,
        chain_transaction=sent,
        block_number=header.number,
        block_hash=header.stated_hash,
        block_time_s=header.timestamp_s,
        sealed=sealed,
        steps=tuple(walk.steps),
        unproven=unproven(signed, header, trust),
    )


def _refuse(why: str) -> Unprocessable:
    return Unprocessable(why, code="receipt_refused")


def _message(receipt: Receipt, trust: Trust) -> tuple[Signed, str]:
    """The exact bytes carry a good Ed25519 signature of the key whose thumbprint they name."""
    raw, public_key = receipt.message.encode("ascii"), bytes.fromhex(receipt.public_key)
    envelope = open_envelope(raw)
    if kid_of(public_key) != envelope.kid:
        raise _refuse("The public key is not the one that the message names.")
    envelope.verify(public_key)
    signed = read_message(raw, envelope)
    message = signed.message
    if trust.region not in (None, message.region):
        raise _refuse(f"The message is for region {message.region}, the trusted deployment is that of {trust.region}.")
    where = f"on network {message.network}, region {message.region}, issued at {message.issued_at}"
    return signed, f"Key {signed.kid} signed this {signed.type} message {where}: {_words(signed)}."


def _words(signed: Signed) -> str:
    m = signed.message
    if isinstance(m, Transfer):
        return f"{m.payer} pays {m.payee} ({m.payee_handle}) {m.amount} smallest units of {m.token}"
    if isinstance(m, Issue):
        return f"{m.account} is issued {m.amount} smallest units of {m.token} for deposit {m.deposit}"
    if isinstance(m, Redeem):
        return f"{m.account} redeems {m.amount} smallest units of {m.token}"
    if isinstance(m, Adjust):
        return f"{m.kind} of {m.amount} smallest units of {m.token} at {m.account} for transaction {m.original}"
    return f"transaction {m.transaction_id}"


def _sent(receipt: Receipt, header: Header, trust: Trust) -> tuple[tuple[bytes, BatchCall], str]:
    """The block holds a chain transaction of the region's chain key to its Settlement, on the trusted chain."""
    nodes = [bytes.fromhex(node) for node in receipt.proof.transaction]
    raw = prove_index(header.field("transactionsRoot"), receipt.proof.index, nodes)
    transaction, sender = read_signed(raw)
    if transaction.chain_id != trust.chain_id:
        raise _refuse(f"The chain transaction is for chain {transaction.chain_id}, not {trust.chain_id}.")
    if transaction.to != trust.settlement:
        raise _refuse(f"The chain transaction goes to {transaction.to}, not to Settlement at {trust.settlement}.")
    if sender != trust.chain_key:
        raise _refuse(
            f"The chain transaction is signed by {sender}, not by the chain key {trust.chain_key}. If the region has "
            "replaced its chain key since, trust the one that was in force."
        )
    call = read_calldata(transaction.data)
    if header.timestamp_s > call.deadline_s:
        raise _refuse("The block came after the batch's deadline.")
    digest = transaction_hash(raw)
    return (digest, call), (
        f"Chain transaction 0x{digest.hex()} on chain {trust.chain_id} is signed by {sender} and stands at position "
        f"{receipt.proof.index} of the block. It carries batch {call.number}."
    )


def _in_batch(receipt: Receipt, signed: Signed, call: BatchCall) -> tuple[None, str]:
    """The Merkle path leads from (position, transaction_id, digest) to the root that the chain key signed."""
    place = receipt.batch
    if place.count != call.count:
        raise _refuse("The batch has another number of items than the receipt says.")
    node = leaf(place.position, id_bytes(signed.message.transaction_id), signed.digest)
    path = [bytes.fromhex(step) for step in place.path]
    if not verify_proof(call.root, node, place.position, place.count, path):
        raise _refuse("The Merkle path does not lead from the message to the batch's root.")
    return None, (
        f"Transaction {signed.message.transaction_id} with digest {signed.digest.hex()} stands at position "
        f"{place.position} of {place.count}, under root {call.root.hex()}."
    )


def _item(receipt: Receipt, signed: Signed, call: BatchCall, trust: Trust) -> tuple[None, str]:
    """The item that the contract read at that position is the one the message asks for."""
    position = receipt.batch.position
    if call.kind == "exchange":
        raise _refuse("A batch of exchanges is not one that this version makes receipts of.")
    if (call.kind == "admin") is not signed.message.administrative:
        raise _refuse("The message is of another kind than its batch.")
    if call.kind == "admin":
        at = position * ADMIN_ITEM_BYTES
        [admin] = unpack_admin_items(call.packed[at : at + ADMIN_ITEM_BYTES])
        # A role's token stands in the key word, as its place plus one.
        found = (admin.words[1][KEY_SCOPE_AT] & TOKEN_BITS) - 1 if admin.kind is AdminKind.SET_KEY else admin.token
        if admin_item(signed, lambda symbol: _place(symbol, found, trust)) != admin:
            raise _refuse("The item in the batch is not the one that the message asks for.")
        return None, f"It is a {admin.kind.name.lower()} item with exactly what the message asks for."
    at = position * VALUE_ITEM_BYTES
    [value] = unpack_value_items(call.packed[at : at + VALUE_ITEM_BYTES])
    if value != _asked(signed, value, trust):
        raise _refuse("The item in the batch is not the one that the message asks for.")
    if value.fee > int(getattr(signed.message, "fee_max", 0)):
        raise _refuse("The fee in the batch is more than the message allows.")
    return None, (
        f"It is a {value.kind.name.lower()} of {value.amount} from {value.payer} to {value.payee} with a fee of "
        f"{value.fee}, in token {value.token} of Settlement's list."
    )


def _asked(signed: Signed, found: ValueItem, trust: Trust) -> ValueItem:
    """Return the item that the message asks for. The fee follows the region's schedule: only its bound is signed."""
    m = signed.message
    if isinstance(m, Transfer):
        kind, payer, payee = ValueKind.TRANSFER, m.payer, m.payee
    elif isinstance(m, Issue):
        kind, payer, payee = ValueKind.MINT, minter_of(signed.kid), m.account
    elif isinstance(m, Redeem):
        kind, payer, payee = ValueKind.BURN, m.account, NOBODY
    elif isinstance(m, Adjust):
        kind, payer, payee = adjustment_sides(m, signed.kid)
    else:
        raise _refuse(f"A {signed.type} message has no item of its own.")
    return ValueItem(kind, payer, payee, int(m.amount), found.fee, _place(m.token, found.token, trust))


def _place(symbol: str, found: int, trust: Trust) -> int:
    """Return a token's place in Settlement's list; where nobody knows the list, what was found: `unproven` says so."""
    if trust.tokens is None:
        if not 0 <= found < EVERY_TOKEN:
            raise _refuse(f"The item is about every token, the message about {symbol}.")
        return found
    if symbol not in trust.tokens:
        raise _refuse(f"The trusted deployment has no token {symbol}.")
    return trust.tokens.index(symbol)


def _answer(receipt: Receipt, header: Header) -> tuple[ChainReceipt, str]:
    """The receipt at the same position of the block says that the chain transaction succeeded."""
    nodes = [bytes.fromhex(node) for node in receipt.proof.receipt]
    answer = read_chain_receipt(prove_index(header.field("receiptsRoot"), receipt.proof.index, nodes))
    if not answer.succeeded:
        raise _refuse("The contract refused the batch as a whole: nothing of it took effect.")
    return answer, f"The chain transaction succeeded and left {len(answer.logs)} logs."


def _settled(
    answer: ChainReceipt, call: BatchCall, receipt: Receipt, trust: Trust
) -> tuple[tuple[BatchSettled, dict[int, SkipReason]], str]:
    """Settlement's own words: this number, this root, the head that follows, and which items it skipped, and why."""
    words = [log for log in answer.logs if log.address == trust.settlement and log.topics]
    closing = [BatchSettled.from_log(log.topics, log.data) for log in words if log.topics[0] == BATCH_SETTLED_TOPIC]
    if len(closing) != 1:
        raise _refuse("Settlement did not close exactly one batch.")
    settled = closing[0]
    head = next_head(call.parent, call.number, call.root)
    said = (settled.number, settled.root, settled.head, settled.count)
    if said != (call.number, call.root, head, receipt.batch.count):
        raise _refuse("Settlement closed another batch than the one that was sent.")
    told = [ItemSkipped.from_log(log.topics, log.data) for log in words if log.topics[0] == ITEM_SKIPPED_TOPIC]
    if any(one.number != call.number or one.position >= settled.count for one in told):
        raise _refuse("Settlement skipped an item that is not in the batch.")
    reasons = {one.position: one.reason for one in told}
    if len(reasons) != len(told) or sum(1 << position for position in reasons) != settled.skipped:
        raise _refuse("The bitmap of skipped items and their reasons disagree.")
    return (settled, reasons), (
        f"Settlement at {trust.settlement} closed batch {settled.number}: {settled.count} items, "
        f"{len(reasons)} skipped. The head after it is {settled.head.hex()}."
    )


def _outcome(receipt: Receipt, settled: BatchSettled, reasons: dict[int, SkipReason]) -> tuple[str, str]:
    """The skip bitmap at the item's position, and the outcome that the receipt states."""
    position = receipt.batch.position
    reason = reasons.get(position)
    outcome = SETTLED if settled.settled(position) else (reason.code if reason else "")
    if outcome != receipt.outcome:
        raise _refuse(f"The receipt says {receipt.outcome}, the chain says {outcome}.")
    if reason is None:
        return outcome, f"Bit {position} of the skip bitmap is not set: the item took effect."
    return outcome, f"The chain skipped the item ({outcome}) and nothing moved: {reason.sentence}"
