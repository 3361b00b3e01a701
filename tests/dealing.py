"""How the tests are dealt out to several processes: `pytest --numprocesses`."""

from xdist.scheduler import LoadScopeScheduling

ONE_CLUSTER = "tests/test_ray.py"


class DealtInOrder(LoadScopeScheduling):
    """Test after test in the order in which they stand, to whichever process is free.

    The cases of one test stay together, since what they share may take seconds to start; so do all tests of Ray, which share a cluster.
    """

    def _split_scope(self, nodeid: str) -> str:
        return ONE_CLUSTER if nodeid.startswith(ONE_CLUSTER) else nodeid.partition("[")[0]
