"""The codes with which a location refuses a message or a batch: all that refusals are counted by.

What a location sends is its own word, so a figure's labels are never taken from it: a code that stands not here counts
as `other`. A test holds the table against the code that raises them.
"""

from __future__ import annotations

from typing import Final

__all__ = ["OTHER", "REFUSAL_CODES", "counted_as"]

OTHER: Final = "other"

_OF_MESSAGES: Final = (
    # How it is written.
    *("account", "amount", "asset", "base64", "claims", "fee_above_max", "header", "invalid", "json"),
    *("json_duplicate_key", "json_number", "json_surrogate", "key_word", "message_parts", "message_size", "ratio"),
    *("same_account", "signature_size", "time", "transaction_id", "type_mismatch", "unknown_token", "unknown_type"),
    *("weak_public_key", "wrong_batch_kind"),
    # Who signed it, for where and when.
    *("already_exists", "approval_mismatch", "approval_missing", "bad_signature", "clock_skew", "expired_message"),
    *("expired_transaction_id", "expires_too_late", "handle_mismatch", "key_expired", "key_revoked", "same_officer"),
    *("unknown_key", "unknown_transaction_id", "wrong_key", "wrong_network", "wrong_region", "wrong_role"),
    "wrong_scope",
    # What the rules and the reserve say.
    *("attestation_stale", "bad_sequence", "domain_wall", "frozen", "identity", "mint_allowance_spent", "not_frozen"),
    *("original_mismatch", "original_missing", "over_reserve", "payee_frozen", "payee_not_eligible", "refused"),
    *("residency", "transaction_cap"),
    # What was signed before.
    *("already_issued", "already_used", "duplicate"),
)
_OF_BATCHES: Final = (
    # The batch itself, and what it is built on.
    *("bad_batch_ids", "bad_line", "batch_calldata", "batch_deadline", "batch_gas", "batch_item", "batch_nonce"),
    *("batch_number", "batch_parent", "batch_shape", "batch_wrong", "chain_transaction", "hash_mismatch"),
    *("messages_refused", "region_file", "registry_behind", "rules_digest", "terms_differ", "unknown_head"),
    *("unknown_parent", "unprocessable"),
    # The location's chain node.
    *("bad_header", "bad_rlp", "chain_answer_too_long", "chain_bad_answer", "chain_block_missing"),
    *("chain_call_reverted", "chain_log", "chain_refused", "chain_unavailable", "deployment_file", "not_deployed"),
    *("not_sealed", "stale_node", "wrong_chain", "wrong_chain_key"),
    # Its presignatures, its key and what it keeps.
    *("bad_intent", "bad_mark", "batch_burnt", "counter_moved", "counter_unreachable", "hash_exhausted", "no_key"),
    *("nonce_exhausted", "not_combined", "presignature_bound", "presignature_burnt", "presignature_not_bound"),
    *("repeated_nonce", "seal_broken", "seal_key", "seal_key_mode", "signer_store", "stock_held"),
    "unknown_presignature",
    # The call.
    *("answer_timeout", "bug", "conflict", "forbidden", "not_for_peers", "not_found", "rate_limited"),
    *("unauthenticated", "unavailable"),
)

REFUSAL_CODES: Final = frozenset({*_OF_MESSAGES, *_OF_BATCHES, OTHER})


def counted_as(code: str) -> str:
    """Return the code under which a refusal is counted, whatever the location sent."""
    return code if code in REFUSAL_CODES else OTHER
