"""How much memory there is, and how many worker processes it holds.

A machine of many cores and little memory would otherwise start more work than fits, and the system would kill it.
"""

import ctypes
import math
from pathlib import Path

# Bytes of a process that has loaded torch, of a copy of it, and of what it works on where a job does not say. Measured on Linux.
LOADED, COPIED, WORKING = 500e6, 100e6, 500e6
CONTROL_GROUPS = Path("/sys/fs/cgroup")


def free_memory() -> float:
    """Bytes that may be taken: what the system calls available, within the limits of a container or batch job; infinite if unknown."""
    try:
        import psutil
    except ImportError:
        return math.inf
    return min(psutil.virtual_memory().available, _group_limit())


def fitting_processes(memory: float, copies: bool) -> float:
    """Worker processes that fit into `memory` bytes, at least one; not rounded, since the memory may be infinite.

    copies: whether they are copies of one that has loaded torch, and share its memory.
    """
    first, each = (LOADED, COPIED) if copies else (0.0, LOADED)
    return max((memory - first) / (each + WORKING), 1)


def idle_memory(processes: int, copies: bool) -> float:
    """Bytes that so many worker processes take before they work. copies: as in `fitting_processes`."""
    return LOADED + processes * COPIED if copies else processes * LOADED


def give_back_freed(most: float) -> None:
    """Hand memory that was freed but kept back to the system, where this process holds more than `most` bytes of its own."""
    try:
        import psutil

        held = psutil.Process().memory_info()
        if held.rss - getattr(held, "shared", 0) > most:
            ctypes.CDLL(None).malloc_trim(0)
    except (ImportError, AttributeError, TypeError):  # without psutil, or without glibc, which alone is told to keep it
        return


def _group_limit(groups: Path = Path("/proc/self/cgroup"), mounted: Path = CONTROL_GROUPS) -> float:
    """The lowest memory limit, bytes, of the control groups that a Linux process lies in; infinite where there is none."""
    limits = [math.inf]
    for line in groups.read_text(encoding="utf-8").splitlines() if groups.exists() else ():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):  # version 1
            top, name = mounted / "memory", "memory.limit_in_bytes"
        elif not controllers:  # version 2
            top, name = mounted, "memory.max"
        else:
            continue
        below = top / path.lstrip("/")
        for folder in (below, *below.parents):
            if folder.is_relative_to(top) and (folder / name).exists():
                text = (folder / name).read_text(encoding="ascii").strip()
                limits.append(math.inf if text == "max" else int(text))
    return min(limits)
