"""NACHA files: what the ACH network is spoken to in, 94 characters a record.

Every record class is a table of its fields (`records`, `addenda`), `file` reads and writes whole files byte for byte,
`controls` recomputes every total, `build` makes the files we originate, and `inbound` reads what comes back.
Source: Nacha Operating Rules, Appendix Three (ACH record format specifications).
"""

from sdt.domain.nacha.build import Limits, Order, Originator, Receiver, Stamp, build_file
from sdt.domain.nacha.controls import faults_of
from sdt.domain.nacha.dishonor import Dishonored, find_return
from sdt.domain.nacha.file import Batch, Entry, NachaFile, read_file
from sdt.domain.nacha.inbound import Change, Inbound, Return, read_inbound
from sdt.domain.nacha.layout import BadRecord

__all__ = [
    "BadRecord",
    "Batch",
    "Change",
    "Dishonored",
    "Entry",
    "Inbound",
    "Limits",
    "NachaFile",
    "Order",
    "Originator",
    "Receiver",
    "Return",
    "Stamp",
    "build_file",
    "faults_of",
    "find_return",
    "read_file",
    "read_inbound",
]
