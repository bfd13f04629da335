"""What the threads of a server share."""

import subprocess
import sys

IMPORTS = """
import importlib.abc, sys, threading, time
import anyio
from mlops_assets.serving.stores import Served
from mlops_assets.settings import Settings

class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "mlops_assets.io_managers.base":
            time.sleep(1)

sys.meta_path.insert(0, Slow())
served, failed = Served(Settings.read()), []

def ask(name):
    try:
        anyio.run(served.work, lambda: __import__(name, fromlist=["*"]))
    except ImportError as error:
        failed.append(error)

asked = "mlops_assets.environments", "mlops_assets.io_managers.memory", "mlops_assets.io_managers.steps"
threads = [threading.Thread(target=ask, args=(name,)) for name in asked]
for thread in threads:
    thread.start()
    time.sleep(0.1)
for thread in threads:
    thread.join()
sys.exit("; ".join(map(str, failed)) or None)
"""


def test_first_questions_at_the_same_time_find_no_half_made_module():
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
