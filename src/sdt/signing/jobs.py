"""Starting a joint job's process at this location and taking its answer.

The store's one writer stays the signer: a job has no path to any file of it, gets what it needs by pipe and hands its
result back by pipe, so a job that dies leaves nothing half done and the sealing key never leaves the signer.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Final

import msgspec

from sdt.domain.errors import Unavailable
from sdt.signing.job_wire import (
    JOB_FRAME_BYTES_MAX,
    JobAnswer,
    JobFailed,
    JobSpec,
    answer_decoder,
    encode_into,
)
from sdt.signing.locked import wipe

START_GRACE_S: Final = 10.0
SPEC_BYTES: Final = 4096
_KEPT_ENVIRONMENT: Final = ("PATH", "HOME", "LANG", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH")


class JobThrownAway(Unavailable):
    """A joint job failed; nothing of it is kept, and it may be run again as a whole."""

    code = "job_failed"


async def run_job(spec: JobSpec) -> JobAnswer:
    """Run one joint job in a process of its own; when this returns, that process has ended.

    Errors: JobThrownAway.
    """
    environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sdt.signing.job",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**environment, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        async with asyncio.timeout(spec.deadline_s + START_GRACE_S):
            await _tell(process.stdin, spec)
            answer = await _read_answer(process.stdout)
            await process.wait()
    except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, msgspec.MsgspecError) as error:
        raise JobThrownAway("The joint job's process ended without an answer.") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if isinstance(answer, JobFailed):
        raise JobThrownAway(answer.detail, code=answer.code)
    return answer


async def _tell(pipe: asyncio.StreamWriter, spec: JobSpec) -> None:
    """Write the terms, and wipe what was written: the share is in it. A pipe takes so little at once, keeping none."""
    frame = bytearray(SPEC_BYTES)  # so long that it is not moved while it grows, which would leave a copy behind
    try:
        encode_into(spec, frame, 4)
        frame[:4] = (len(frame) - 4).to_bytes(4, "big")
        pipe.write(frame)
        await pipe.drain()
    finally:
        wipe(frame)


async def _read_answer(reader: asyncio.StreamReader) -> JobAnswer:
    size = int.from_bytes(await reader.readexactly(4), "big")
    if size > JOB_FRAME_BYTES_MAX:
        raise JobThrownAway("The joint job's answer is too long.")
    answer: JobAnswer = answer_decoder.decode(await reader.readexactly(size))
    return answer
