"""What counts as a code having been provoked."""

from __future__ import annotations

import os
import subprocess
import sys

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
