"""IVM's memory as computed without allocating it, against what a process on this machine's CPU really takes.

python benchmarks/ivm_memory.py bfloat16 8bit 4bit

Each precision gets a process of its own, which builds the published size from constant tensors (no file is
needed, and what the weights are changes no size), then encodes a picture and grounds two instructions.
Measured is the resident memory that Linux reports, without that of Python and its libraries before; the
peak is the kernel's own. glibc is told to give back what torch frees (MALLOC_MMAP_THRESHOLD_), as it else
keeps much of what quantising on a CPU needed for a moment; set the variable to 33554432 to see that.
The machine needs the memory, and on two cores it takes minutes per precision.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from ivm_ros.bench.random_ivm import INSTRUCTIONS, word_tokenizer
from ivm_ros.models.ivm.config import IvmConfig
from ivm_ros.models.ivm.grounder import IvmGrounder
from ivm_ros.models.ivm.memory import memory_needs
from ivm_ros.models.ivm.precision import PRECISIONS, quantised_linear
from ivm_ros.models.ivm.weights import build, canonical_shapes, empty_ivm
from ivm_ros.models.memory import RESERVE, MemoryNeed

Result = TypeVar("Result")
SIZES = {"published": IvmConfig, "small": IvmConfig.small}


@dataclass(frozen=True)
class Measured:
    """Bytes and seconds of one precision.

    Attributes:
        weights: bytes, when the network is built.
        frames: most bytes while a picture was encoded and grounded, beside the process before the network.
        encode: seconds, of each picture.
        first: seconds of the first instruction on each picture.
        second: seconds of another.
    """

    weights: int
    frames: tuple[int, ...]
    encode: tuple[float, ...]
    first: tuple[float, ...]
    second: tuple[float, ...]


def main(
    precisions: Annotated[list[str], typer.Argument(help=f"Of {', '.join(PRECISIONS)}.")],
    size: Annotated[str, typer.Option(help="published or small.")] = "published",
    frames: Annotated[int, typer.Option(min=1, help="Pictures; the first is slower, and may take more.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Of torch.")] = 2,
) -> None:
    """Print computed and measured bytes of each precision."""
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", "65536")  # for the processes that are started from here
    needs = {need.precision: need for need in memory_needs(SIZES[size]())}
    table = Table(title=f"IVM, {size} size: GB computed / measured, seconds of the last picture")
    pictures = [f"picture {number + 1}" for number in range(frames)]
    for column in ("", "weights", "total", *pictures, "encode", "ground", "again", "share"):
        table.add_column(column, justify="right")
    for name in precisions:
        need = needs[name]
        there = _memory("/proc/meminfo", "MemAvailable")
        if need.total + RESERVE > there:
            log(f"{name}: left out, it needs {_gb(need.total + RESERVE)} GB and {_gb(there)} are free")
            continue
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            measured = pool.apply(measure, (name, size, frames, threads))
        table.add_row(*_row(need, measured))
    Console(width=100).print(table)
    log("share: of the second instruction's seconds in those of encode and the first")


def measure(name: str, size: str, frames: int, threads: int) -> Measured:
    """Build and run one precision in this process, and return what it took."""
    import torch

    torch.set_num_threads(threads)
    precision, cpu = PRECISIONS[name], torch.device("cpu")
    config, tokenizer = word_tokenizer(SIZES[size]())
    if precision.bits is not None:  # its library counts as one
        layer = quantised_linear(torch.ones(64, 64), precision.bits, precision.language, cpu)
        layer.eval()(torch.ones(1, 2, 64, dtype=precision.language))
    torch.ones(64, 64) @ torch.ones(64, 64)
    gc.collect()
    before = _memory("/proc/self/status", "VmRSS")
    log(f"{name}: {_gb(before)} GB before the network; building it")
    shapes = canonical_shapes(empty_ivm(config))
    state = {key: torch.full((1,), 0.01).expand(tensor.shape) for key, tensor in shapes.items()}
    model, seconds = timed(lambda: build(config, state, precision, cpu))
    weights = _memory("/proc/self/status", "VmRSS") - before
    log(f"{name}: {_gb(weights)} GB of weights, built in {seconds:.0f} s; running it")
    grounder = IvmGrounder(model, tokenizer)
    image = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    peaks, times = [], []
    for number in range(frames):
        Path("/proc/self/clear_refs").write_text("5")  # the kernel's peak begins anew
        features, encode = timed(lambda: grounder.encode(image))
        log(f"{name}: picture {number + 1} encoded in {encode:.1f} s")
        first, second = (timed(partial(grounder.ground, features, words))[1] for words in INSTRUCTIONS[:2])
        peaks.append(_memory("/proc/self/status", "VmHWM") - before)
        times.append((encode, first, second))
        del features
        log(f"{name}: grounded in {first:.1f} s and {second:.1f} s; most {_gb(peaks[-1])} GB")
    return Measured(weights, tuple(peaks), *zip(*times, strict=True))


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """Return what a function returns, and its seconds."""
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def log(text: str) -> None:
    """Say what goes on."""
    typer.echo(text, err=True)


def _row(need: MemoryNeed, measured: Measured) -> list[str]:
    encode, first, second = measured.encode[-1], measured.first[-1], measured.second[-1]
    return [
        need.precision,
        f"{_gb(sum(need.weights.values()))} / {_gb(measured.weights)}",
        _gb(need.total),
        *(f"{_gb(peak)} ({peak / need.total - 1:+.1%})" for peak in measured.frames),
        *(f"{seconds:.1f}" for seconds in (encode, first, second)),
        f"{second / (encode + first):.1%}",
    ]


def _memory(file: str, name: str) -> int:
    """Return a value in bytes of one of Linux's files of "name: value kB"."""
    lines = dict(line.split(":", 1) for line in Path(file).read_text().splitlines())
    return int(lines[name].split()[0]) * 1024


def _gb(size: int) -> str:
    return f"{size / 1e9:.2f}"


if __name__ == "__main__":
    typer.run(main)
