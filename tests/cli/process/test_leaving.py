"""The end of a command's process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lrface.cli.process.leaving import leave

COMMAND = """
import atexit, builtins
from lrface.cli.process.leaving import leave

class Late:
    def __del__(self):
        builtins.print("taken apart")

late = Late()

def work():
    atexit.register(lambda: print("cleared away"))
    print("done", end="")
    if {failing}:
        raise ValueError("nobody expected that")
    return {code}

leave(work)
"""


def _ended(folder: Path, **how):
    """A process that counts as one of a command: by the name of its script."""
    (folder / "lrface").write_text(COMMAND.format(**how))
    return subprocess.run(
        [sys.executable, str(folder / "lrface")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("code", [0, 1, 130])
def test_what_is_registered_is_called_everything_is_written_and_nothing_is_taken_apart(tmp_path, code):
    ended = _ended(tmp_path, failing=False, code=code)
    assert ended.returncode == code
    assert ended.stdout == "donecleared away\n"
    assert ended.stderr == ""


def test_an_error_that_nobody_expected_ends_as_python_ends(tmp_path):
    ended = _ended(tmp_path, failing=True, code=0)
    assert ended.returncode == 1
    assert ended.stdout == "donecleared away\ntaken apart\n"
    assert "ValueError: nobody expected that" in ended.stderr


def test_called_on_the_way_it_leaves_the_process_alone():
    ended = subprocess.run(
        [
            *(sys.executable, "-c"),
            "from lrface.cli.process.leaving import leave\n"
            "try:\n    leave(lambda: 3)\nexcept SystemExit as left:\n    print('left', left.code)\n",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, "left 3\n")
    with pytest.raises(SystemExit, match="4"):
        leave(lambda: 4)


def test_whoever_reads_may_go_away():
    command = f"{sys.executable} -c 'from lrface.cli.program import main; main([])' | true; echo ${{PIPESTATUS[0]}}"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    slow = command.replace("from lrface", "import time; time.sleep(1); from lrface")
    ended = subprocess.run(["bash", "-c", slow], env=environment, capture_output=True, text=True, check=False)
    assert ended.stderr == ""
    assert ended.stdout == "141\n"


def test_another_pipe_that_breaks_is_no_reader_who_went_away(tmp_path):
    """Swallowed, it would have been an end without a word."""
    (tmp_path / "lrface").write_text(
        COMMAND.replace('raise ValueError("', 'raise BrokenPipeError("').format(failing=True, code=0)
    )
    ended = subprocess.run(
        [sys.executable, str(tmp_path / "lrface")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "BrokenPipeError: nobody expected that" in ended.stderr
