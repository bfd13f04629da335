"""How the process of a command ends: at once, and not before everything is said and tidied up."""

import subprocess
import sys

import pytest

CODE = """
import atexit, sys, threading, time
from mlops_assets import __main__

def late():
    time.sleep(0.2)
    sys.stdout.write("thread ")

import mlops_assets.commands.main
began = mlops_assets.commands.main.main
def main():
    atexit.register(sys.stdout.write, "tidied ")
    threading.Thread(target=late).start()
    began()
mlops_assets.commands.main.main = main
sys.argv = ["mlops-assets", *sys.argv[1:]]
__main__.main()
"""


@pytest.mark.parametrize(("argument", "code"), [("--version", 0), ("no-such-command", 2)])
def test_a_command_leaves_with_its_code_once_all_is_said_and_tidied_up(argument, code):
    said = subprocess.run(
        [sys.executable, "-c", CODE, argument], check=False, capture_output=True, text=True, timeout=120
    )
    assert (said.returncode, said.stdout.endswith("thread tidied ")) == (code, True), said
