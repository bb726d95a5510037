"""Process supervision: everything of one running platform, in one home folder, started and ended as one."""

from sdt.supervise.errors import AlreadyRunning, BadSpec, Interrupted, StartFailed
from sdt.supervise.homelock import is_locked
from sdt.supervise.spec import ProcessSpec, ReadyLine, ReadyUrl
from sdt.supervise.state import PlatformState, ProcessState, Status, read_state
from sdt.supervise.supervisor import Supervisor

__all__ = [
    "AlreadyRunning",
    "BadSpec",
    "Interrupted",
    "PlatformState",
    "ProcessSpec",
    "ProcessState",
    "ReadyLine",
    "ReadyUrl",
    "StartFailed",
    "Status",
    "Supervisor",
    "is_locked",
    "read_state",
]
