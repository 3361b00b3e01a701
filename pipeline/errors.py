"""The errors a user can cause and mend. Each message says what is wrong and what to do, in one line.

Only the entry points (`pipeline.cli`, `report.cli`) print them and exit with status 2; every other
exception is a fault of the program and ends with status 1.
"""

import errno
import os
import select
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

STOPPED = 130  # the exit status of a program that Ctrl-C has stopped
UNREAD = 141  # the exit status of a program that nobody listens to any more


class UserError(Exception):
    """A mistake the user can mend; its text is one line that ends in what to do."""

    def __reduce__(self) -> tuple:
        # On its way from a worker process only the text travels; pickle would call the constructor with it.
        return _arrived, (type(self), str(self))


def _arrived(kind: type[UserError], text: str) -> UserError:
    error = kind.__new__(kind)
    error.args = (text,)
    return error


class UnknownName(UserError):
    """A name (profile, stage, setting, model) that does not exist."""

    def __init__(self, kind: str, name: str, known: Iterable[str]):
        super().__init__(f"unknown {kind} '{name}'; choose one of: {', '.join(known)}")


class BadSetting(UserError):
    """A setting whose value is out of range or of the wrong type."""

    def __init__(self, key: str, value: object, rule: str):
        super().__init__(f"setting {key}={value} is not possible: {rule}")


class NoCuda(UserError):
    """A CUDA device was asked for and there is none."""

    def __init__(self) -> None:
        super().__init__("--device cuda: no CUDA device is available here; use --device cpu or --device auto")


class OutOfDeviceMemory(UserError):
    """A device with too little memory for one batch."""

    def __init__(self, device: str, batch_size: int):
        super().__init__(f"{device} has too little memory for a batch of {batch_size} images; "
                         f"use --set batch_size={max(batch_size // 2, 2)}, a smaller image_size, or --device cpu")


class LostWorker(UserError):
    """A worker process that the system killed, as it does where memory runs out."""

    def __init__(self) -> None:
        super().__init__("a worker process was killed, most likely because memory ran out; close other programs, or add --set fast=false "
                         "(one process) or a smaller image_size or batch_size; the same command goes on from what is finished")


class MissingPath(UserError):
    """A data path that is absent."""

    def __init__(self, path: Path | str, advice: str):
        super().__init__(f"{path} does not exist; {advice}")


class UnreadableFile(UserError):
    """A data file that cannot be read."""

    def __init__(self, path: Path | str, reason: object, advice: str):
        first_line = str(reason).strip().splitlines()[0] if str(reason).strip() else type(reason).__name__
        super().__init__(f"{path} cannot be read ({first_line}); {advice}")


class BadTable(UserError):
    """A CSV that breaks the data contract of `data/README.md`."""

    def __init__(self, path: Path | str, what: str, advice: str):
        super().__init__(f"{path}: {what}; {advice}")


class TooFewSlices(UserError):
    """A patient with fewer usable slices than the study takes."""

    def __init__(self, patient: str, found: int, needed: int):
        super().__init__(
            f"patient {patient} has {found} usable slices and the study takes {needed}; "
            "add slices, leave the patient out, or lower the number with --set slices=N"
        )


class NoLungs(UserError):
    """A scan in which no lungs are found, as where its values are not Hounsfield units."""

    def __init__(self, patient: str, low: float, high: float):
        super().__init__(
            f"patient {patient} has no lungs that could be found; values must be Hounsfield units, air about -1000 "
            f"(here they reach from {low:g} to {high:g}); convert the scan, give a lung mask, or leave the patient out"
        )


class ClassMissing(UserError):
    """A split without both classes: no ROC curve can be computed on it."""

    def __init__(self, split: str, label: int, advice: str):
        super().__init__(f"the {split} set has no patient with label {label}; add patients of that class, or {advice}")


class LeakedImage(UserError):
    """The same image, bit for bit, in two different splits."""

    def __init__(self, first: str, second: str):
        super().__init__(
            f"patients {first} and {second} share an identical slice but lie in different splits; "
            "remove one of the two from the data"
        )


class FolderInUse(UserError):
    """A study folder in which another run is at work."""

    def __init__(self, root: Path | str):
        super().__init__(f"another run is at work in {root}; wait until it ends, stop it, or name another folder with --out DIR")


class CannotWrite(UserError):
    """A file that the system does not let us write: the disk is full, or the folder is not ours."""

    def __init__(self, path: Path | str, reason: object):
        why = getattr(reason, "strerror", None) or str(reason).strip().splitlines()[0]
        super().__init__(f"{path} cannot be written ({why}); free some space or name another folder; what is finished is kept, "
                         "the same command goes on from there")


class DamagedArtifact(UserError):
    """A stored file that no longer matches its recorded digest, or cannot be parsed."""

    def __init__(self, path: Path | str, stage: str):
        super().__init__(
            f"{path} is damaged or was edited (it does not match its recorded SHA-256); "
            f"delete that file and run 'python -m pipeline {stage}' again to remake it"
        )


class MissingArtifact(UserError):
    """A stored file that an earlier stage should have made."""

    def __init__(self, path: Path | str, stage: str):
        super().__init__(f"{path} is missing; run 'python -m pipeline {stage}' to make it")


class MissingPackage(UserError):
    """An optional package that a chosen path needs."""

    def __init__(self, package: str, purpose: str):
        super().__init__(f"{purpose} needs the package {package}; install it with: pip install {package}")


# What the system says of a folder or file that is not ours to use, and of a full disk.
NOT_ALLOWED, NO_ROOM = (errno.EACCES, errno.EPERM, errno.EROFS), (errno.ENOSPC, errno.EDQUOT)


class NotAllowed(UserError):
    """A file or folder that the system does not let us use."""

    def __init__(self, path: Path | str):
        super().__init__(f"{path}: permission denied; change its permissions, or name another file or folder")


def mendable(error: OSError, place: Path) -> UserError:
    """What the user can mend behind an error of the system, which is raised again where it is another one.

    place: what is named where the error does not say where it happened.
    """
    if error.errno in NOT_ALLOWED:
        return NotAllowed(error.filename or place)
    if error.errno in NO_ROOM:
        return CannotWrite(error.filename or place, error)
    raise error


def tell_missing(error: ModuleNotFoundError) -> int:
    """Say in one line that a package of the project is not installed; the exit status. One of the project's own is raised again."""
    if (error.name or "").partition(".")[0] in ("", "pipeline", "report"):
        raise error
    print(f"error: the package {error.name} is missing; install what the study needs, in its folder, with: pip install -e .",
          file=sys.stderr)
    return 2


def run_while_read(run: Callable[[], int]) -> int:
    """The exit status of a program, or UNREAD where it could not print on, as behind `| head`: no fault of it."""
    try:
        try:
            return run()
        finally:
            if sys.stdout:
                sys.stdout.flush()
    except BrokenPipeError:
        if not _nobody_reads():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python itself prints what is left when it ends
        return UNREAD


def _nobody_reads() -> bool:
    """Whether it is the standard output whose other end is closed; worker processes have pipes, too."""
    if not hasattr(select, "poll"):  # Windows
        return True
    waiting = select.poll()
    waiting.register(sys.stdout.fileno(), 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in waiting.poll(0))


class NoImageNet(UserError):
    """ImageNet weights were asked for and could not be fetched. cached: where torchvision looks for them before it fetches them."""

    def __init__(self, reason: object, cached: Path):
        super().__init__(
            f"the ImageNet weights could not be fetched ({str(reason).splitlines()[0]}); connect to the network, or put them into "
            f"{cached}, use --set weights=procedural, or name a file with --set weights=FILE.safetensors"
        )
