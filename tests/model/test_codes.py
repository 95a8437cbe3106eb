"""What counts as a code having been provoked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from smc_tui.model.catalogue import CATALOGUE
from tests.support import codes


def provoked_by(folder, program):
    folder.mkdir(exist_ok=True)
    path = os.pathsep.join([str(codes.RECORDER), *filter(None, sys.path)])
    environment = {**os.environ, codes.VARIABLE: str(folder), "PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    return codes.end(folder)


def test_an_error_that_the_program_makes_is_provoked(tmp_path):
    program = (
        "import contextlib\n"
        "from smc_tui.model import errors, settings\n"
        "with contextlib.suppress(errors.SmcError): settings.keep(0)"
    )
    assert provoked_by(tmp_path / "codes", program) == {"InvalidParameter.Keep"}


def test_an_error_that_a_test_makes_or_that_is_only_read_is_not(tmp_path):
    program = (
        "from smc_tui.engine.worker import *\n"
        "from smc_tui.model.errors import SmcError\n"
        "SmcError('Link.Lost')\n"
        "import smc_tui.engine.worker as w\n"
        "w._error({'code': 'Disk.Shrank', 'detail': '', 'facts': {}})"
    )
    assert provoked_by(tmp_path / "codes", program) == set()


def test_each_kind_of_session_is_held_to_its_own():
    assert set(CATALOGUE) >= codes.ELSEWHERE
    some = sorted(codes.ELSEWHERE)[0]
    assert codes.missing(set(CATALOGUE) - codes.ELSEWHERE, elsewhere=False) == []
    assert codes.missing(codes.ELSEWHERE - {some}, elsewhere=True) == [some]
    assert "Link.Lost" in codes.missing(set(), elsewhere=False)


SESSION = """
import pytest
from smc_tui.model.catalogue import CATALOGUE
from smc_tui.model.errors import SmcError
from tests.support import codes

def provoke():
    for code in sorted(codes.ELSEWHERE - {"Source.NoSudo"%s}):
        open(f"{codes.os.environ[codes.VARIABLE]}/{code}", "w").close()

@pytest.mark.sshd
def test_one():
    provoke()

@pytest.mark.sshd
@pytest.mark.skipif(True, reason="no sudo on this machine")
def test_other():
    assert "Source.NoSudo"
"""


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        ("", 0, "Source.NoSudo: no sudo on this machine"),
        (', "Source.NoPython"', 1, "codes that no test has provoked"),
    ],
)
def test_what_skipped_tests_name_is_not_held_against_a_bare_machine(tmp_path, more, status, said):
    """A whole session of its own: the project's conftest over two tests."""
    tests = Path(codes.__file__).parent.parent
    folder = tmp_path / "session"
    folder.mkdir()
    (folder / "conftest.py").write_text((tests / "conftest.py").read_text())
    (folder / "test_it.py").write_text(SESSION % more)
    (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = session\nmarkers =\n root\n sshd\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tests.parent), *sys.path])}
    environment.pop(codes.VARIABLE, None)
    command = [sys.executable, "-m", "pytest", "--import-mode=importlib", "-m", "sshd or root"]
    ended = subprocess.run(
        [*command, "-p", "no:cacheprovider"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert ended.returncode == status, ended.stdout + ended.stderr
    assert said in ended.stdout
