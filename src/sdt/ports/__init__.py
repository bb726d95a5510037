"""What is outside the platform and has more than one implementation: one Protocol each, and its answers.

Nothing here does anything: workflows depend on these names, adapters implement them.
"""

from sdt.ports.aml import Aml, Purpose, SanctionsList, Screening, ScreeningOutcome, ScreeningRequest
from sdt.ports.bank import (
    AchDirection,
    AchEntry,
    AchOrder,
    AchStatus,
    Bank,
    BankCalendar,
    BookTransfer,
    BookTransferOrder,
    BookTransferStatus,
    Conductor,
    CurrencyDeposit,
    ExternalAccount,
    SecCode,
)
from sdt.ports.depository import (
    AssayTest,
    Bar,
    BarIntake,
    BarStatus,
    Depository,
    HoldingStatement,
    Inventory,
    RedemptionOrder,
    RedemptionStatus,
    VaultRedemption,
)
from sdt.ports.evidence import Evidence, StateUnknown, VendorFault
from sdt.ports.kyc import Kyc, KycApplication, KycOutcome, KycPerson, PostalAddress
from sdt.ports.queue import DeadLetter, Queue, QueueDepth, QueueEntry, Received
from sdt.ports.statement import Flow, Statement, StatementLine

__all__ = [
    "AchDirection",
    "AchEntry",
    "AchOrder",
    "AchStatus",
    "Aml",
    "AssayTest",
    "Bank",
    "BankCalendar",
    "Bar",
    "BarIntake",
    "BarStatus",
    "BookTransfer",
    "BookTransferOrder",
    "BookTransferStatus",
    "Conductor",
    "CurrencyDeposit",
    "DeadLetter",
    "Depository",
    "Evidence",
    "ExternalAccount",
    "Flow",
    "HoldingStatement",
    "Inventory",
    "Kyc",
    "KycApplication",
    "KycOutcome",
    "KycPerson",
    "PostalAddress",
    "Purpose",
    "Queue",
    "QueueDepth",
    "QueueEntry",
    "Received",
    "RedemptionOrder",
    "RedemptionStatus",
    "SanctionsList",
    "Screening",
    "ScreeningOutcome",
    "ScreeningRequest",
    "SecCode",
    "StateUnknown",
    "Statement",
    "StatementLine",
    "VaultRedemption",
    "VendorFault",
]
