"""One run at a time in a study folder: two would take each other's unfinished files for their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import CannotWrite, FolderInUse


@contextmanager
def alone_in(root: Path) -> Iterator[None]:
    """Keep the folder of a study to this process; the system gives it free when the process ends, however it does.

    Raises FolderInUse where another one has it. File systems that know no locks leave it to the user.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(root / ".lock")
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise FolderInUse(root) from None
    except OSError as error:
        raise CannotWrite(root, error) from None
    except NotImplementedError:
        yield
        return
    try:
        yield
    finally:
        lock.release()
