"""What goes in and out of the framework's routes. Amounts are strings of digits in the token's smallest unit."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Digits = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,18})$", examples=["12000"])]
Address = Annotated[str, Field(pattern=r"^0x[0-9a-f]{40}$", examples=["0x" + "a1" * 20])]
Symbol = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{1,11}$", examples=["TXD"])]
Handle = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9]*([._-][a-z0-9]+)*$", min_length=3, max_length=32, examples=["alice.tx"]),
]
TransactionId = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        examples=["019a8f2e-1c00-7a3b-8c4d-5e6f708192a3"],
    ),
]
Text = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$")]
Time = Annotated[str, Field(examples=["2026-11-23T09:30:00Z"])]
StatusName = Literal[
    "requested",
    "accepted",
    "awaiting_funds",
    "held",
    "in_review",
    "screened",
    "batched",
    "submitted",
    "settled",
    "completed",
    "expired",
    "canceled",
    "rejected",
    "returned",
]


class Closed(BaseModel):
    """What comes in: nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class Problem(BaseModel):
    """A problem document (RFC 9457). docs/errors.md lists every `code`."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    transaction_id: str | None = None
    rule: str | None = None
    statute: str | None = None
    effective: str | None = None


class QuoteRequest(Closed):
    """What somebody means to pay."""

    type: Literal["transfer"]
    token: Symbol
    payer: Address
    payee: Address
    amount: Digits


class IdRequest(Closed):
    """How many ids, and optionally what the transaction would cost."""

    model_config = ConfigDict(
        extra="forbid", strict=True, hide_input_in_errors=True, json_schema_extra={"examples": [{"count": 2}]}
    )

    count: Annotated[int, Field(ge=1, le=500)] = 1
    quote: QuoteRequest | None = None


class Refusal(BaseModel):
    """A rule that would refuse, with the law it follows."""

    code: str
    detail: str
    rule: str
    statute: str
    effective: str


class Quote(BaseModel):
    """The fee of a transfer. Sign it as `fee_max`.

    `verdict` is what the region's rules say now: only for a payer who proves to be one, for it speaks of both parties.
    """

    token: str
    amount: Digits
    fee: Digits
    total: Digits
    verdict: Literal["allowed", "refused"] | None = None
    refusal: Refusal | None = None


class Ids(BaseModel):
    """Ids to sign messages with, good until `expires_at`."""

    transaction_id: TransactionId
    transaction_ids: list[TransactionId]
    expires_at: Time
    quote: Quote | None = None


class Receipt(BaseModel):
    """A message is stored; follow its transaction with `GET /v1/transactions/{transaction_id}`."""

    transaction_id: TransactionId
    status: StatusName


class BatchAnswer(BaseModel):
    """What became of one message of a batch: a transaction or a problem."""

    http_status: int
    transaction: Receipt | None = None
    problem: Problem | None = None


class Batch(Closed):
    """Signed messages, each a compact JWS."""

    messages: Annotated[list[str], Field(min_length=1, max_length=500)]


class BatchAnswers(BaseModel):
    """An answer for each message, in order."""

    answers: list[BatchAnswer]


class TransactionDetails(BaseModel):
    """What only the parties see: whom it moves what, and the signed message itself."""

    kid: str
    account: str | None
    counterparty: str | None
    token: str | None
    amount: Digits
    fee: Digits
    issued_at: Time
    expires_at: Time | None
    digest: str
    message: str
    linked_id: str | None


class Transaction(BaseModel):
    """Where a transaction stands. Without a party's proof there are no amounts, no parties, no message."""

    transaction_id: TransactionId
    status: StatusName
    type: str | None = None
    final: bool
    accepted_at: Time | None = None
    updated_at: Time | None = None
    expires_at: Time | None = None
    code: str | None = None
    detail: str | None = None
    rule: str | None = None
    statute: str | None = None
    effective: str | None = None
    batch_number: int | None = None
    position: int | None = None
    chain_transaction: str | None = None
    block: int | None = None
    details: TransactionDetails | None = None


Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Hex = Annotated[str, Field(pattern=r"^([0-9a-f]{2})+$")]


class ReceiptBatch(BaseModel):
    """Where the message stands in its batch, and the sibling hashes up to the batch's root (RFC 9162)."""

    position: int
    count: int
    path: list[Hash]


class ReceiptBlock(BaseModel):
    """The block's hash and its encoded header, seals and all."""

    hash: Hash
    header: Hex


class ReceiptProof(BaseModel):
    """The chain transaction's place in its block, and the trie nodes to it and to its outcome."""

    index: int
    transaction: list[Hex]
    receipt: list[Hex]


class ReceiptFile(BaseModel):
    """What proves, offline, what became of a message on chain. Its bytes count: see docs/receipts.md."""

    format: Literal["sdt-receipt/1"]
    outcome: str
    message: str
    public_key: Hash
    batch: ReceiptBatch
    block: ReceiptBlock
    proof: ReceiptProof


class HistoryEntry(BaseModel):
    """One transaction of an account."""

    transaction_id: TransactionId
    type: str
    status: StatusName
    account: str | None
    counterparty: str | None
    token: str | None
    amount: Digits
    fee: Digits
    accepted_at: Time
    updated_at: Time
    code: str | None
    rule: str | None
    batch_number: int | None
    linked_id: str | None


class History(BaseModel):
    """The newest transactions first; `next` is the value of `before` for the page after this one."""

    transactions: list[HistoryEntry]
    next: int | None


class Balance(BaseModel):
    """What an account has of one token: `available` is what is settled less what is on its way out."""

    token: str
    settled: Digits
    held: Digits
    available: Digits


class Balances(BaseModel):
    """All tokens of the region."""

    account: str
    balances: list[Balance]


class AddressIn(Closed):
    """A United States address."""

    street: Text
    city: Text
    state: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    postal_code: Annotated[str, Field(pattern=r"^[0-9]{5}(-[0-9]{4})?$")]


class PersonIn(Closed):
    """Who stands behind an account. Kept sealed, shown to the KYC vendor and to nobody else."""

    given_name: Text
    family_name: Text
    born_on: Annotated[str, Field(pattern=r"^(19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}$", examples=["1988-04-17"])]
    address: AddressIn
    ssn_last4: Annotated[str, Field(pattern=r"^[0-9]{4}$")]
    email: Annotated[str, Field(max_length=254, pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+$")]


class NewUser(Closed):
    """A signed `register` message and the person it is for."""

    message: Annotated[str, Field(min_length=1, max_length=8192)]
    person: PersonIn


class Registration(BaseModel):
    """A registration is on its way; the account counts once its transaction is settled."""

    user_id: str
    account: str
    handle: str
    transaction_id: TransactionId
    status: StatusName


class Identity(BaseModel):
    """What was established for one domain."""

    domain: str
    tier: int
    resident: bool
    expires_at: Time


class User(BaseModel):
    """A user as the user sees it."""

    user_id: str
    account: str
    handle: str
    residency: str
    registered: bool
    kyc_status: str | None
    kyc_reasons: list[str]
    identities: list[Identity]
    frozen: list[str]
    party: Literal["person", "business"] | None
    erased: bool


class HandleBinding(BaseModel):
    """Which account a handle is bound to on chain: what a payer verifies before signing.

    `handle` is what was `asked` in its one spelling: that is the one to sign.
    """

    asked: str
    handle: str
    account: str


class Key(BaseModel):
    """One key of the account: what it may do (`role`), and of which token alone, if of one."""

    kid: str
    public_key: str
    status: str
    role: Literal["manager", "payer", "viewer"]
    token: Symbol | None
    expires_at: Time | None
    registered_by: str | None


class Keys(BaseModel):
    """All keys of the account."""

    keys: list[Key]


class BankAccountIn(Closed):
    """A bank account of the user."""

    routing_number: Annotated[str, Field(pattern=r"^[0-9]{9}$", examples=["021000021"])]
    account_number: Annotated[str, Field(pattern=r"^[0-9A-Za-z-]{4,17}$", examples=["000123456789"])]
    kind: Literal["checking", "savings"]
    holder: Text


class BankAccount(BaseModel):
    """A linked bank account: `ref` stands for it in messages."""

    ref: str
    mask: str
    status: str


class BankAccounts(BaseModel):
    """All linked bank accounts of the user."""

    bank_accounts: list[BankAccount]


class Rule(BaseModel):
    """One rule with its law and its dates."""

    id: str
    kind: str
    text: str
    statute: str
    effective: str
    sunset: str | None
    domain: str | None
    token: str | None
    units: Digits | None
    types: list[str]


class Rules(BaseModel):
    """The rules of the region; `digest` is what stands on chain of the file."""

    digest: str
    rules: list[Rule]


class Region(BaseModel):
    """The region and the network, as messages and proofs must name them."""

    id: str
    name: str
    network: str
    rules_digest: str
    acceptance_window_s: int
    transfer_life_s_max: int
    tokens: list[str]
    chain_id: int
    settlement: str | None
    registry: str | None
    time: Time


class OrdersOfToken(BaseModel):
    """How many orders are in force in a token, on how many accounts, and how many have ended by themselves."""

    token: Symbol
    in_force: int
    accounts: int
    ended: int


class Orders(BaseModel):
    """What freezes there are, in numbers, and what whoever is under one can do."""

    orders: list[OrdersOfToken]
    appeal: str
    time: Time


class Token(BaseModel):
    """A token of the region."""

    symbol: str
    name: str
    asset: str
    domain: str
    fee_units: Digits
    fee_ppm: int


class Tokens(BaseModel):
    """All of them."""

    tokens: list[Token]


class Reserve(BaseModel):
    """What the custodian attested, what entered and left since, and what is held with both: supply is never more.

    `sequence` is the number of the last fund or release.
    """

    attested: Digits
    funded: Digits
    released: Digits
    held: Digits
    as_of: Time
    valid_until: Time
    sequence: int


class TokenReport(Token):
    """A token with its supply, what stands behind it (null before the first attestation), and its rules."""

    supply: Digits
    reserve: Reserve | None
    minting: Literal["open", "attestation_stale", "reserve_used_up"]
    """Whether more may be minted now; what stands in the way otherwise. Payments go on."""
    rules: list[Rule]


class Tasks(BaseModel):
    """Work that waits for a role; docs/api.md describes the members of each role's tasks."""

    role: str
    tasks: list[dict[str, Any]]
