"""Memory is used again; counted in a process of its own, for it is a setting of the process."""

import subprocess
import sys

import pytest

COUNT = """
import resource
import numpy as np
from featureviz.engine.memory import reuse_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def batch():
    np.empty(10_000_000).fill(1)  # 19,532 pages

if {reuses}:
    reuse_memory()
batch()
before = faults()
for _ in range(10):
    batch()
print(faults() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's setting")
def test_a_batch_takes_the_pages_of_the_last_one():
    new, again = (
        int(subprocess.check_output([sys.executable, "-c", COUNT.format(reuses=reuses)]))
        for reuses in (False, True)
    )
    assert again < 1000
    assert new > 3 * again, "and would not by itself, else the setting is not needed"
