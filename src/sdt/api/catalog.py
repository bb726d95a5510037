"""Every problem the API answers: its code, HTTP status, what it means and what to do. docs/errors.md is this table.

A code never changes its meaning. Errors carry their code from where they are raised; the status is looked up here,
so that one code has one status on every route and in every skin.
"""

# ruff: noqa: E501 - a table is read line by line.
from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["PROBLEMS", "PROBLEMS_PATH", "REASONS", "ProblemType", "errors_page"]

PROBLEMS_PATH: Final = "/docs/errors.md"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One row of the table."""

    code: str
    status: int
    title: str
    remedy: str

    @property
    def uri(self) -> str:
        """The problem's `type`: a reference to its entry, which the API itself serves."""
        return f"{PROBLEMS_PATH}#{self.code}"


_ROWS: Final = (
    # The request as HTTP and JSON.
    ("request", 400, "The request is not well formed", "Compare it with the OpenAPI description; `errors` names the fields."),
    ("json", 400, "The JSON cannot be read", "Send one JSON object in UTF-8 without a byte-order mark."),
    ("json_duplicate_key", 400, "A JSON key stands twice", "Write each key once."),
    ("json_number", 400, "A JSON number is not a small whole number", "Write amounts as strings of digits; no fractions, no exponents."),
    ("json_surrogate", 400, "A JSON string holds half of a surrogate pair", "Encode the text as UTF-8."),
    ("not_found", 404, "There is nothing at this address", "Check the path against the OpenAPI description."),
    ("method_not_allowed", 405, "This address does not take this method", "Use one of the methods in the `Allow` header."),
    ("request_size", 413, "The request is too large", "Send less at once; a batch has at most 500 messages."),
    ("document_size", 413, "The document is too large", "A document has at most 5 MiB."),
    ("document_type", 415, "The document is no PDF, JPEG or PNG, or not the one its Content-Type says", "Send it as application/pdf, image/jpeg or image/png."),
    ("unsupported_media_type", 415, "The body has another media type", "Send application/jose to `PUT /v1/transactions/{id}`, application/json elsewhere."),
    ("header_size", 431, "The request's headers are too large", "Send fewer and smaller headers: 16 KiB altogether."),
    # The envelope and its claims.
    ("message_size", 413, "The message is too large", "A message has at most 8192 bytes."),
    ("message_parts", 400, "This is no compact JWS", "Join header, claims and signature, each in base64url, by dots; no white space."),
    ("base64", 400, "A part of the message is not base64url", "Use base64url without padding, in its one canonical spelling."),
    ("header", 400, "The JWS header is not the required one", "Write exactly {\"alg\":\"Ed25519\",\"kid\":…,\"typ\":\"sdt-<type>+jws\"} in this order."),
    ("signature_size", 400, "The signature has not 64 bytes", "Sign with Ed25519."),
    ("type_mismatch", 400, "Header and claims name two types", "Write the same type in `typ` and in `type`."),
    ("unknown_type", 400, "There is no message of this type", "docs/api.md lists the types."),
    ("claims", 400, "A claim is missing, unknown or of another form", "`detail` names the claim."),
    ("amount", 400, "An amount is not one", "Write whole smallest units as a string of digits, more than zero."),
    ("time", 400, "A time is none of the calendar, or before 1970", "Write RFC 3339 in UTC with whole seconds and Z."),
    ("same_account", 400, "Both sides are one account", "Name two accounts."),
    ("transaction_id", 400, "This is no transaction_id", "Use the id exactly as it was given: a lower-case UUID of version 7."),
    ("transaction_id_mismatch", 400, "The message has another id than the address", "Send the message to the address of its own transaction_id."),
    ("unknown_token", 400, "The region has no such token", "`GET /v1/tokens` lists them."),
    ("weak_public_key", 400, "Under this public key a signature proves nothing", "Make a key with a maintained Ed25519 library."),
    # Who sent it.
    ("unknown_key", 401, "The key is not registered", "Register it, and wait until the registration is settled."),
    ("kid_mismatch", 401, "The kid is not that of the key being registered", "Sign a registration with the key it registers; kid is its RFC 7638 thumbprint."),
    ("bad_signature", 401, "The signature does not fit", "Sign exactly the bytes that you send, with the key that `kid` names."),
    ("key_revoked", 401, "The key was revoked", "Use another key of the account."),
    ("key_expired", 401, "The key has expired", "Use another key of the account."),
    ("proof_required", 401, "This read needs a proof", "Send an SDT-Proof header (docs/api.md)."),
    ("proof_malformed", 401, "The proof cannot be read", "Send a compact JWS of type sdt-proof+jws with htm, htu, iat, jti and network."),
    ("proof_target", 401, "The proof is for another request", "Make a proof for this method and this address, without its query."),
    ("proof_network", 401, "The proof is for another network", "Name the network that `GET /v1/region` shows."),
    ("proof_stale", 401, "The proof is too old, or from the future", "Make a new proof for every request; check your clock."),
    ("proof_used", 401, "The proof was used before", "Make a new proof, with a new jti, for every request."),
    ("wrong_role", 403, "The key's role may not do this", "Use a key with the role that this act needs."),
    ("wrong_key", 403, "The key is not one of that account", "Sign with a key of the account that the message speaks for."),
    ("wrong_scope", 403, "The key does not cover this", "Use the key that was granted the role for this token, or a key of the account that may do this (`GET /v1/users/me/keys`)."),
    ("handle_reserved", 403, "The handle passes for an office of the State", "Choose another one, or ask the region's office for leave."),
    ("not_yours", 403, "This belongs to another account", "Ask with a key of that account."),
    # What it refers to.
    ("unknown_transaction_id", 404, "This transaction_id was never given", "Ask for one with `POST /v1/transactions`."),
    ("no_message", 404, "Nothing was sent under this id", "Send a message under it first."),
    ("unknown_user", 404, "There is no such user", "Check the user_id; `me` is whoever signs the proof."),
    ("erased", 404, "What was known of this person was erased", "Nothing brings it back; transactions and receipts stand."),
    ("unknown_handle", 404, "Nobody has this handle", "Check the spelling; a handle counts once its registration is settled."),
    ("token_not_found", 404, "The region has no such token", "`GET /v1/tokens` lists them."),
    ("transaction_id_used", 409, "Another message was sent under this id", "Ask for a new id; the first message stands."),
    ("rotation_waiting", 409, "Another key change of the account is on its way", "Wait until it is settled, then send the same id and bytes again."),
    ("receipt_not_yet", 409, "The transaction is not final on chain yet", "Wait until its status is settled (`?wait=`), then ask again."),
    ("receipt_none", 409, "The transaction never reached the chain", "There is nothing to prove; its status says why it ended."),
    ("receipt_elsewhere", 409, "This message is no item of a batch", "Ask for the receipt of the transaction in `receipt_of`; null until there is one."),
    ("user_taken", 409, "The user_id, account, handle or key is taken", "Choose another one; `detail` says which. A handle that looks like somebody's is taken too."),
    # What officers do.
    ("act_id_mismatch", 400, "The act has another id than the address", "Send the act to the address of its own act_id."),
    ("same_officer", 403, "Maker and checker are the same person", "Another officer with the role agrees or declines."),
    ("instruction_unknown", 404, "There is no such dead instruction", "`sdt vendor dead-letters` lists them; one that was revived is the worker's again."),
    ("unknown_act", 404, "There is no such act", "Name the SHA-256 of the act's exact bytes, in lower-case hexadecimal, or its id."),
    ("act_id_used", 409, "Another act was sent under this id", "Choose a new random id (UUID version 4); the first act stands."),
    ("unknown_review", 404, "There is no such review", "Name the id of a case of the kind sanctions, as `GET /v1/office/reviews` lists them."),
    ("unknown_ignore", 404, "There is no such entry on the ignore-list", "`GET /v1/office/sanctions/ignored` lists them."),
    ("unknown_list", 404, "No sanctions list with this digest was loaded", "The operator loads it first: `sdt sanctions load FOLDER`."),
    ("account_not_blocked", 409, "The account is not blocked", "Only an account that two officers blocked has a block to lift."),
    ("review_decided", 409, "The review is decided", "There is nothing left to decide; a new finding opens a new one."),
    ("review_changed", 409, "More was found since the act was signed", "Look at the review again, and sign anew."),
    ("list_in_force", 409, "This list is in force already", "Nothing is to be done."),
    ("sanctions_case", 422, "A review is decided by other acts", "Sign `clear_match` or `confirm_match`."),
    ("list_date", 422, "The list is of another day", "Name the date under which the operator loaded it."),
    ("list_older", 422, "The list is older than the one in force", "Say `older` if that is meant; it takes a second officer."),
    ("not_blocked", 404, "Nothing is blocked under this id", "Name the deposit or redemption whose dollars are blocked."),
    ("too_late_to_block", 409, "These dollars can no longer be blocked here", "Freeze the account, or ask the bank to stop the entry."),
    ("release_under_way", 409, "The dollars are on their way out of the blocked account", "They go on once the bank's statement shows them in clearing."),
    ("nothing_owed", 409, "Less is owed than that", "`GET /v1/office/money` says what is owed of each deposit."),
    ("act_not_waiting", 409, "The act does not wait for a second officer", "It was agreed to, declined, or lapsed; `GET /v1/office/acts` says which."),
    ("unknown_case", 404, "There is no such case", "Check the case_id; `GET /v1/office/cases` lists those that your role works."),
    ("no_travel_record", 404, "No record is kept of this payment", "Payments of 3,000 dollars or more that are no ACH entries have one."),
    ("nothing_to_report", 409, "No currency is recorded for this case", "Look at the case's evidence."),
    ("case_status", 409, "The case does not stand so that this could follow", "Look at the case; docs/aml.md says what follows what."),
    ("reason_missing", 409, "A decision says why", "Write the reason, for the file."),
    ("confirmation_missing", 409, "A report counts once its number came back", "Name the number under which it was acknowledged."),
    ("not_watched", 409, "The address is not watched", "There is nothing to take off the list."),
    ("not_your_case", 403, "The case is another officer's", "Take the case over first, with `assign_case`."),
    ("unknown_officer", 422, "No officer who may work this case has that key", "Name the kid of a key in force whose role works this kind of case."),
    ("future_day", 422, "This is no day of the calendar that has come", "Name the day on which it happened."),
    ("past_day", 422, "This is no day to come", "Name a day after today, or none."),
    ("identity_closed", 409, "The identity check is not open to this now", "`GET /v1/users/me/identity` says what to do next."),
    ("attempts_exhausted", 409, "Both attempts are used", "An officer looks at it; ask the region's office."),
    ("another_party", 409, "A person's account does not become a business's", "Register another account."),
    ("document_not_asked", 409, "No such document is asked for", "`GET /v1/users/me/identity` says of whom documents are asked."),
    ("unknown_application", 404, "The account has no such application", "Name the application that the case shows."),
    ("decision", 422, "The decision is none", "A pass has a tier and ends within five years; a fail has neither."),
    ("unknown_document", 404, "The account has no such document", "`GET /v1/office/identities/{account}` lists them."),
    ("unknown_hold", 404, "No such hold stands on the account", "Name the act that placed it."),
    ("legal_hold", 409, "An order forbids to erase the person", "Lift the legal hold first."),
    ("retention", 409, "The law keeps what is known of the person", "`detail` says until when, `statute` why."),
    ("relationship_open", 409, "The relationship is not over", "Tokens, transactions under way, what is owed and open cases come first."),
    ("erased_already", 409, "This person was erased already", "Nothing is left to do."),
    # What it asks for.
    ("handle", 422, "No handle is written like this", "Letters, digits and single dots, hyphens or underscores between them."),
    ("owner_share", 422, "An owner who is named has a quarter or more", "Name those from 250000 to 1000000 millionths."),
    ("owners_share_sum", 422, "The owners' shares are more than the whole", "Shares are millionths: together at most 1000000."),
    ("owners_exempt", 422, "This kind of business names no owners", "`detail` and `statute` say why; leave `owners` empty."),
    ("wrong_network", 422, "The message is for another network", "Name the network that `GET /v1/region` shows."),
    ("wrong_region", 422, "The message is for another region", "Send it to that region's API."),
    ("expired_transaction_id", 422, "The id's acceptance window has passed", "Ask for a new id and sign the message again."),
    ("clock_skew", 422, "The message is dated outside the id's window", "Set your clock; issued_at lies between the id's time and now, 30 seconds more or less."),
    ("expired_message", 422, "The message's own expires_at has passed", "Sign it again with a later time."),
    ("expires_too_late", 422, "expires_at is too far ahead", "Choose a time within the region's limit."),
    ("fee_above_max", 422, "The fee is more than the message allows", "Ask for a quote and sign its fee as fee_max."),
    ("register_with_person", 422, "A registration comes with the person's data", "Send it to `POST /v1/users`."),
    ("ach_entry_unknown", 404, "No payment has this trace number", "`GET /v1/office/ach/entries` lists them."),
    ("ach_not_reversible", 409, "This entry cannot be taken back", "It has not settled, came back, was taken back, or is being: never a return and a reversal."),
    ("mint_on_the_way", 409, "Its mint is on the way", "Sign again when the batch is final: before that nobody knows what is owed."),
    ("more_than_owed", 422, "Less than this is owed", "`GET /v1/office/money` says what is owed of which deposit."),
    ("evidence_used", 409, "This evidence was used before", "A payment is recorded once; name the bank's word for this one."),
    ("loss_fund_short", 422, "Whoever is to bear the loss does not have that much", "Endow the loss fund, or write off less."),
    ("nothing_in_suspense", 409, "Nothing of this is in suspense", "`GET /v1/office/money` says what is."),
    ("suspense_disputed", 409, "These dollars may still go back to the other bank", "A dishonored return is under way or may still be contested: wait until two banking days after it settled."),
    ("owner_not_payable", 422, "The owner's account is closed or under an order", "Wait until that ends, or hold it as unclaimed."),
    ("authorisation_terms", 422, "An authorisation of these terms cannot be", "docs/ach.md says what is recorded of a debit that was authorised by telephone or in writing."),
    ("ach_reversal_late", 422, "It is too late for a reversal", "Within five banking days of settlement and one day of discovery; ask the bank."),
    ("ach_not_dishonorable", 409, "No return of this entry can be sent back", "No file of returns brought it back, its return was dishonored, or what came back was given to its owner again."),
    ("ach_dishonored_already", 409, "A return of this entry was sent back already", "`GET /v1/office/ach/entries` says where that stands."),
    ("ach_dishonor_refused", 422, "The rules do not let this return be sent back for this reason", "docs/ach.md says what each of R61 and R67 to R70 asks for."),
    ("no_proof", 409, "There are no amounts to confirm", "Begin a verification by small credits first, and wait until they stand on the statement."),
    ("micro_entries_exhausted", 409, "All attempts are used", "Begin a new verification."),
    ("proofs_exhausted", 409, "All proofs of this bank account are used", "Link another account."),
    ("too_many_bank_accounts", 409, "As many bank accounts are linked as one user may have", "Use one that is linked already."),
    ("debits_stopped", 422, "The account's bank returned a debit as not allowed", "Authorise debits anew, by telephone or in writing, on a later day than the return: two officers record it. Or link another account."),
    ("bank_account_closed", 422, "The other bank says that there is no such account", "Link another account."),
    ("routing_number", 422, "This is no bank's routing number", "Check the nine digits; the last one is a check digit."),
    ("date_of_birth", 422, "The date of birth cannot be", "Write it as YYYY-MM-DD, a day of the calendar in the past."),
    # The platform itself.
    ("account_backlog", 429, "More of the account is waiting to be settled than one account may have", "Try again after `Retry-After` seconds with the same id and bytes."),
    ("backlog", 429, "More is waiting to be settled than the region allows", "Try again after `Retry-After` seconds with the same id and bytes."),
    ("too_many_attestations", 429, "Too many ask for attestations at once", "Try again after `Retry-After` seconds."),
    ("internal", 500, "Something is wrong on our side", "Try again with the same id and bytes; tell us the `incident`."),
    ("database_unavailable", 503, "The database does not answer", "Try again with the same id and bytes: nothing is done twice."),
    ("chain_unavailable", 503, "The chain node cannot be asked", "Ask again later; nothing is lost."),
    ("receipt_unproven", 503, "What the chain node shows proves nothing", "Ask again later. The operator has been told: a node may be lying or behind."),
    ("locations_silent", 503, "The signers' answers did not come in time", "Ask again with another nonce; the worker may be starting."),
    ("no_filer", 503, "Who files reports is not set", "The operator sets `api.filer`."),
    ("seal_broken", 503, "A sealed record does not open", "Nothing you can mend: the operator must restore what is missing. Tell them which request it was."),
    ("unavailable", 503, "A part that is needed does not answer", "Try again with the same id and bytes: nothing is done twice."),
)  # fmt: skip

PROBLEMS: Final = {row[0]: ProblemType(*row) for row in _ROWS}

REASONS: Final = {
    "domain_wall": "A party is not admitted to the token's domain, or has no account in the region.",
    "identity": "The identity of a party is not established for the token's domain.",
    "residency": "A party is not a proven resident of the region.",
    "transaction_cap": "The amount is above the region's limit for one transaction.",
    "frozen": "An account is frozen by an order.",
    "in_review": "It is being looked at; no more can be said.",
    "review_refused": "It was looked at and is not carried out; no more can be said.",
    "approval_required": "It waits for a second officer's approval.",
    "being_picked": "The tokens are held; the bars are being set aside and brought to the counter.",
    "no_whole_bars": "No whole bars in the vault weigh exactly that much; parts of bars are not handed over.",
    "bar_lost": "A bar that was set aside is not there any more; nothing was burnt.",
    "wrong_role": "The key's role may not do this.",
    "same_officer": "Maker and checker are the same person.",
    "nothing_to_approve": "No message with this digest waits for an approval.",
    "approved_was_refused": "The message that was approved has been refused.",
    "unknown_deposit": "The issue names a deposit that does not exist.",
    "deposit_mismatch": "The issue says something else than its deposit.",
    "deposit_used": "The deposit was issued already, or does not wait to be.",
    "unknown_bank_account": "No such bank account is linked to the account.",
    "bank_account_closed": "The bank account takes no debits: its bank says so, or its verification failed.",
    "bank_account_unverified": "The bank account must be verified before it is debited: the region asks for that, or a verification failed before.",
    "original_mismatch": "The adjustment goes beyond the transaction that it names.",
    "original_missing": "The adjustment came without the message of the transaction that it names.",
    "adjust_used": "This original and this evidence were used together before.",
    "nothing_to_adjust": "The bank undid less of the original than this would set right.",
    "account_on_hold": "Outgoing payments of this account are on hold.",
    "cover_short": "What may still come back by ACH is more than the region has cover for now.",
    "bank_refused": "The bank did not take the debit; nothing moved.",
    "insufficient_funds": "The account does not hold that much beyond what is already on its way.",
    "payer_frozen": "The payer's account is frozen.",
    "payee_frozen": "The payee's account is frozen.",
    "payer_not_eligible": "The payer has no valid identity for the token's domain.",
    "payee_not_eligible": "The payee has no valid identity for the token's domain.",
    "over_reserve": "More would be in circulation than the depository attests it holds.",
    "attestation_stale": "The depository's last attestation is no longer valid.",
    "mint_allowance_spent": "The allowance for issuing the token is spent for now: the token's of the day, or the issuer's own of its period.",
    "paused": "The token is paused.",
    "bad_item": "The contract found the item malformed, or something it names is missing.",
    "already_exists": "The account, key or handle is already taken.",
    "unknown_token": "The region has no such token.",
    "bad_sequence": "The number does not follow the last fund, release or attestation.",
    "not_frozen": "No freeze is in force on the account that the order would seize from.",
    "gate_closed": "The exchange between the two tokens is not open in both regions.",
    "gate_rate": "The amounts are not at the rate of the exchange.",
    "gate_cap_spent": "The exchange's cap for the day is spent.",
    "pool_unavailable": "The exchange's pool cannot take or pay this amount.",
    "exchange_failed": "The other region did not carry out its half of the exchange.",
    "fee_changed": "The region's fee has changed since the message was accepted; nothing moved. Sign it anew.",
    "expired_message": "Its own expires_at passed before it was batched.",
    "already_used": "The message is in a batch before this one.",
    "already_issued": "The deposit, or its evidence, was issued against before.",
    "approval_missing": "No second officer's approval came with it.",
    "approval_mismatch": "The approval is for another message.",
    "handle_mismatch": "The payee's handle is not bound to that account on chain.",
    "duplicate": "The message stands twice in its batch.",
}
"""Why an accepted transaction can be held or refused later: the `code` of its status."""


def errors_page() -> str:
    """Return docs/errors.md."""
    lines = [
        "# Errors",
        "",
        "Every refusal is a problem document (RFC 9457, `application/problem+json`): `type` points at an entry of this",
        "page, `code` is its name, `status` the HTTP status, `title` and `detail` say it in words, `instance` is the",
        "address asked for. `transaction_id` is there when it is known; a refusal by a rule also has `rule`, `statute`",
        "and `effective`. A client acts on `code`; the words may become better. After a problem with status 429 or 5xx",
        "the same message may be sent again, byte for byte: nothing is done twice.",
        "",
        "This page is written by `python -m sdt.api.openapi --write` from the table in the code.",
        "",
        "## Problems",
        "",
    ]
    for problem in PROBLEMS.values():
        lines += [f"### {problem.code}", "", f"{problem.status}. {problem.title}. {problem.remedy}", ""]
    lines += [
        "## Why a transaction was held or refused",
        "",
        "A message that was accepted is judged again by the worker, by each signer and by the contract. What they say",
        "is the `code` of the transaction's status, with the rule and its statute where there is one. A signer repeats",
        "the checks above under the same codes.",
        "",
        "| code | meaning |",
        "|---|---|",
    ]
    lines += [f"| `{code}` | {meaning} |" for code, meaning in REASONS.items()]
    return "\n".join(lines) + "\n"
