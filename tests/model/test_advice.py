"""Next steps with the names of the case, and the commands in them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smc_tui.model.advice import commands, filled
from smc_tui.model.catalogue import CATALOGUE
from smc_tui.model.documents import fault_document, job_summary, source_document
from smc_tui.model.lifecycle import State, Status
from smc_tui.model.things import Fault
from tests.model.samples import NOW, SOURCE, job_in

NAMES = {
    "job": "mig", "source": "web01", "image": "img", "host": "root@web01",
    "fingerprint": "SHA256:ab+/=",
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("see smc-tui job show NAME", "see smc-tui job show mig"),
        ("see smc-tui source show NAME: check it", "see smc-tui source show web01: check it"),
        ("smc-tui source check NAME --accept-key FINGERPRINT",
         "smc-tui source check web01 --accept-key SHA256:ab+/="),
        ("try `ssh HOST true` by hand", "try `ssh root@web01 true` by hand"),
        ("RENAME it", "RENAME it"),
    ],
)  # fmt: skip
def test_placeholders_get_the_names_of_what_they_stand_for(text, said):
    assert filled(text, NAMES) == said
    assert filled(text, {}) == text


@pytest.mark.parametrize("hostile", ["$(reboot)", "a b", "x;y", "-rf", "", "a\x1b[2J", "`x`"])
def test_what_a_shell_could_take_amiss_is_not_filled_in(hostile):
    assert filled("smc-tui job show NAME", {"job": hostile}) == "smc-tui job show NAME"
    assert filled("ssh HOST true", {"host": hostile}) == "ssh HOST true"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see smc-tui job show mig, then try again", ["smc-tui job show mig"]),
        ("start it: smc-tui engine start", ["smc-tui engine start"]),
        ("see smc-tui source show web01: check it", ["smc-tui source show web01"]),
        ("stop: smc-tui engine stop, smc-tui engine start",
         ["smc-tui engine stop", "smc-tui engine start"]),
        ("smc-tui source check web01 --accept-key SHA256:a+b=",
         ["smc-tui source check web01 --accept-key SHA256:a+b="]),
        ("see its grammar: smc-tui NOUN VERB --help", []),
        ("see smc-tui job show NAME", []),
        ("free space, then retry", []),
    ],
)  # fmt: skip
def test_the_commands_of_a_next_step_can_be_typed_as_they_stand(text, found):
    assert commands(text) == found


def test_every_command_of_the_catalogue_is_found_whole():
    for code, entry in CATALOGUE.items():
        said = filled(entry.next_step, NAMES)
        assert "smc-tui job" not in said or "NAME" not in said, code
        for command in commands(said):
            assert command in said
            assert command.split()[1:], code


def test_documents_carry_filled_next_steps():
    fault = Fault("Disk.NotFound", "gone", NOW)
    job = job_in(State(Status.IN_ERROR), fault=fault)
    assert "smc-tui source show web01;" in job_summary(job)["error"]["next_step"]
    source = replace(
        SOURCE, fault=Fault("HostKey.Changed", "x", NOW, {"fingerprint": "SHA256:new"})
    )
    step = source_document(source)["error"]["next_step"]
    assert step.endswith("smc-tui source check web01 --accept-key SHA256:new")
    assert fault_document(None) is None


def test_a_time_out_says_nothing_of_a_job():
    assert "job" not in CATALOGUE["Request.TimedOut"].next_step
