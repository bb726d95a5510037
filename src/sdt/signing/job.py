"""`python -m sdt.signing.job`: one location's part of one joint job, in a process of its own that then ends.

The process reads its terms from standard input, talks MPyC with the other two, writes its answer to standard output
and ends; the end of the process is what destroys the secrets it made, so the third location's signer signs a
presigning certificate only after its job has ended. It ends at once when its signer does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import sys
import time
from typing import Any, BinaryIO, Final, NoReturn

from sdt.domain.errors import SdtError
from sdt.signing.job_wire import JobAnswer, JobFailed, JobKey, JobRow, JobSpec, JobStock, encode, spec_decoder
from sdt.signing.mpyc_runtime import JointRuntime, Seat, make_runtime
from sdt.signing.protocol import generate_key, presign, terms_of

CONNECT_S: Final = 10.0
"""How long to wait for the other two to start: one that died before is not waited for to the job's end."""


def _seat(spec: JobSpec) -> Seat:
    return Seat(spec.party, tuple(spec.addresses), spec.certificate, spec.key, spec.authority, spec.peer_keys)


async def _key(runtime: JointRuntime, spec: JobSpec) -> JobKey:
    terms = terms_of("key", spec.network, spec.epoch, spec.job)
    share = await generate_key(runtime, terms)
    return JobKey(share.secret.to_bytes(32, "big"), share.public, share.points)


async def _stock(runtime: JointRuntime, spec: JobSpec) -> JobStock:
    terms = terms_of("stock", spec.network, spec.epoch, spec.job, spec.public, *spec.pair, spec.count)
    started = time.perf_counter()
    made = await presign(runtime, terms, int.from_bytes(spec.secret, "big"), spec.public, spec.count)
    member = spec.party in spec.pair
    rows = [
        JobRow(
            row.public.index,
            row.public.point,
            row.public.opened,
            row.public.a,
            row.public.b,
            row.kappa.to_bytes(32, "big") + row.xi.to_bytes(32, "big") if member else b"",
        )
        for row in made
    ]
    return JobStock(rows, time.perf_counter() - started)


async def _work(spec: JobSpec) -> JobAnswer:
    """Run the job to its deadline.

    Errors: SdtError, TimeoutError.
    """
    runtime = make_runtime(_seat(spec))
    asyncio.get_running_loop().call_later(spec.deadline_s * 0.9, _say_where, runtime)
    async with asyncio.timeout(spec.deadline_s):
        async with asyncio.timeout(CONNECT_S):
            await runtime.start()
        answer: JobAnswer = await (_key if spec.kind == "key" else _stock)(runtime, spec)
        await runtime.leave()
    return answer


def _say_where(runtime: JointRuntime) -> None:
    """Write which lines a job near its deadline waits at, and for whom: code only, no values."""
    for task in asyncio.all_tasks():
        steps: list[str] = []
        step: Any = task.get_coro()
        while (frame := getattr(step, "cr_frame", None)) is not None:
            steps.append(f"{frame.f_code.co_name}:{frame.f_lineno}")
            step = getattr(step, "cr_await", None)
        stack = " > ".join(steps)
        print(f"joint job hangs: {task.get_name()} at {stack}", file=sys.stderr)
    for party in runtime.parties:
        waits = len(getattr(party.protocol, "buffers", ()))
        print(f"joint job hangs: {waits} messages of location {party.pid + 1} expected or held", file=sys.stderr)


async def _answer(spec: JobSpec) -> JobAnswer:
    try:
        return await _work(spec)
    except TimeoutError:
        return JobFailed("deadline", f"The job did not finish within {spec.deadline_s:g} s.")
    except SdtError as error:
        return JobFailed(error.code, error.detail)


async def _end_with_signer() -> None:
    """End this process when the signer that started it closes the pipe, as it does by dying."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    os._exit(1)


async def _main(spec: JobSpec, out: BinaryIO) -> NoReturn:
    """Answer and end at once: what still waits in a job that failed is not unwound, it ends with the process."""
    watch = asyncio.create_task(_end_with_signer())
    answer = await _answer(spec)
    watch.cancel()
    _end(out, answer)


def _end(out: BinaryIO, answer: JobAnswer) -> NoReturn:
    frame = encode(answer)
    with contextlib.suppress(BrokenPipeError):
        out.write(len(frame).to_bytes(4, "big") + frame)
        out.flush()
    os._exit(0)


def main() -> None:
    """Read the terms, run, answer, end."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # MPyC prints tracebacks on standard output, which is our wire
    size = int.from_bytes(_read_exactly(4), "big")
    spec = spec_decoder.decode(_read_exactly(size))
    try:
        asyncio.run(_main(spec, out))
    except RuntimeError:  # MPyC stops the loop when one of its coroutines fails
        _end(out, JobFailed("joint_job_failed", "A step of the joint computation failed."))


def _read_exactly(size: int) -> bytes:
    """Read unbuffered, so that the rest of the pipe is left for the watch."""
    data = b""
    while len(data) < size:
        part = os.read(0, size - len(data))
        if not part:
            raise SystemExit("The terms of the job ended early.")
        data += part
    return data


if __name__ == "__main__":
    main()
