"""Every limit, at its edges and beyond."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smc_tui.model import settings
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.errors import SmcError
from smc_tui.model.instants import Wanted
from smc_tui.model.units import DAY, HOUR, MINUTE, rfc3339
from tests.model.samples import NOW


def refused(check, *values):
    with pytest.raises(SmcError) as caught:
        check(*values)
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value


@pytest.mark.parametrize("name", ["ab", "web01", "A:b_c-d", "a" * 128])
def test_good_names(name):
    assert settings.name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a",
        "a" * 129,
        "1web",
        "-web",
        "we b",
        "web'01",
        'web"01',
        "web\n01",
        "web01\n",
        "web;reboot",
        "web/01",
        "../web",
        "wéb01",
        "web٣",
        "j-0123abcd",
        None,
        7,
    ],
)
def test_bad_names(name):
    error = refused(settings.name, name)
    assert error.code == "InvalidParameter.Name"
    assert "\n" not in error.line


@given(st.text(max_size=140))
def test_a_name_that_passes_is_safe_everywhere(text):
    line = ""
    name = None
    try:
        name = settings.name(text)
    except SmcError as error:
        line = error.line
    if name is None:
        assert line.isprintable()
        assert line.startswith("InvalidParameter.Name")
    else:
        assert name == text
        assert name.isascii()
        assert all(char.isalnum() or char in "_:-" for char in name)


@pytest.mark.parametrize(
    ("value", "seconds"), [("1h", HOUR), ("7d", 7 * DAY), (HOUR, HOUR), ("1d 12h", 36 * HOUR)]
)
def test_good_intervals(value, seconds):
    assert settings.interval(value) == seconds


@pytest.mark.parametrize(
    "value", ["59m", "8d", "7d 1s", 0, -1, "", "soon", None, [], "1" * 400 + "d"]
)
def test_bad_intervals(value):
    assert refused(settings.interval, value).code == "InvalidParameter.Interval"


@pytest.mark.parametrize("value", [1, 10, "3"])
def test_good_keep(value):
    assert settings.keep(value) == int(value)


@pytest.mark.parametrize("value", [0, 11, -1, "three", 2.5, True, None, "9" * 400])
def test_bad_keep(value):
    assert refused(settings.keep, value).code == "InvalidParameter.Keep"


@pytest.mark.parametrize(("value", "kept"), [("auto", "auto"), (0, "0"), ("10", "10"), (3, "3")])
def test_good_compression(value, kept):
    assert settings.compression(value) == kept


@pytest.mark.parametrize("value", ["Auto", -1, 11, "zstd", None])
def test_bad_compression(value):
    assert refused(settings.compression, value).code == "InvalidParameter.Compression"


@pytest.mark.parametrize("value", [-1, 1_000_001, "fast"])
def test_bad_limit(value):
    assert refused(settings.limit, value).code == "InvalidParameter.Limit"


def test_good_limit():
    assert settings.limit("80") == 80
    assert settings.limit(0) == 0


@pytest.mark.parametrize("value", ["6d", "91d", "7d"[:1]])
def test_bad_valid_time(value):
    assert refused(settings.valid, value).code == "InvalidParameter.ValidTime"


def test_good_valid_time():
    assert settings.valid("7d") == 7 * DAY
    assert settings.valid("90d") == 90 * DAY


@pytest.mark.parametrize("ahead", [10 * MINUTE, 30 * DAY])
def test_good_start(ahead):
    assert settings.start_at(NOW + ahead, NOW) == NOW + ahead
    assert settings.start_at(rfc3339(NOW + ahead), NOW) == pytest.approx(NOW + ahead, abs=0.001)


@pytest.mark.parametrize(
    "value",
    [NOW, NOW + 10 * MINUTE - 1, NOW + 30 * DAY + 1, "tomorrow", "", "9999-99-99", float("nan")],
)
def test_bad_start(value):
    assert refused(settings.start_at, value, NOW).code == "InvalidParameter.StartTime"


@pytest.mark.parametrize(
    "target", ["web01", "root@web01.example.com", "u.s-er@10.0.0.1", "a@fe80::1%eth0"]
)
def test_good_ssh_targets(target):
    assert settings.ssh_target(target) == target


@pytest.mark.parametrize(
    "target",
    ["", "-oProxyCommand=reboot", "web 01", "web;reboot", "web$(id)", "web\n", "`id`", None],
)
def test_bad_ssh_targets(target):
    assert refused(settings.ssh_target, target).code == "Source.BadAddress"


def test_ports():
    assert settings.port(None) is None
    assert settings.port("22") == 22
    assert refused(settings.port, 0).code == "Source.BadAddress"
    assert refused(settings.port, 65536).code == "Source.BadAddress"


def test_descriptions():
    assert settings.description("the shop's front end, naïve") == "the shop's front end, naïve"
    assert refused(settings.description, "two\nlines").code == "InvalidParameter.Description"
    assert refused(settings.description, "x" * 257).code == "InvalidParameter.Description"


def test_targets():
    assert settings.target("image") == "image"
    assert refused(settings.target, "moon").code == "InvalidParameter.Target"


@pytest.mark.parametrize("value", ["", "Auto", "snapshot", None, 1, ["auto"]])
def test_bad_instant(value):
    assert refused(settings.one_instant, value).code == "InvalidParameter.Instant"
    assert [settings.one_instant(str(each)) for each in Wanted] == list(Wanted)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("", ()),
        ("  ", ()),
        ("pg_backup start", ("pg_backup", "start")),
        ("/opt/x 'two words' \"a b\"", ("/opt/x", "two words", "a b")),
        # There is no shell: these are words like others.
        ("sync; rm -rf / | $(id) `id` > x", ("sync;", "rm", "-rf", "/", "|", "$(id)", "`id`", ">",
                                             "x")),
    ],
)  # fmt: skip
def test_a_command_is_split_into_words(value, kept):
    assert settings.hook(value) == kept


@pytest.mark.parametrize(
    "value", ["it's", '"', "a\nb", "a\x1b[2J", "x" * 1001, "'' x", None, ["sync"], 5, "a\0b"]
)
def test_bad_hook(value):
    assert refused(settings.hook, value).code == "InvalidParameter.Hook"


@pytest.mark.parametrize("value", [0, 61, -1, "soon", True, 1.5])
def test_bad_hook_timeout(value):
    assert refused(settings.hook_timeout, value).code == "InvalidParameter.HookTimeout"
    assert [settings.hook_timeout(each) for each in (1, "60")] == [1, 60]
