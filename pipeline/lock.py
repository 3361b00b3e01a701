"""One run at a time in a study folder: two would take each other's unfinished files for their own."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import CannotWrite, FolderInUse

# What file systems say that know no locks.
UNKNOWN = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


@contextmanager
def alone_in(root: Path) -> Iterator[None]:
    """Keep the folder of a study to this process; the system gives it free when the process ends, however it does.

    Raises FolderInUse where another one has it. File systems that know no locks leave it to the user.
    """
    from filelock import Timeout

    lock = _new_lock(root / ".lock")
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise FolderInUse(root) from None
    except NotImplementedError:
        pass
    except OSError as error:
        if error.errno not in UNKNOWN:
            raise CannotWrite(root, error) from None
    try:
        yield
    finally:
        lock.release()


def _new_lock(path: Path):
    """A lock that never turns into a mere file, which a killed run would leave behind as if it were still at work."""
    from filelock import FileLock, __version__

    turns = tuple(map(int, __version__.split(".")[:2])) >= (3, 30)
    return FileLock(path, fallback_to_soft=False) if turns else FileLock(path)
