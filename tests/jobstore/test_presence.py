"""Waking the engine, and knowing by it whether there is one."""

from __future__ import annotations

import socket

import pytest

from smc_tui.jobstore import Home
from smc_tui.jobstore.presence import present, short_path, wake


def listen(home):
    waker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    with short_path(home.socket) as address:
        waker.bind(address)
    return waker


def test_nobody_is_there(tmp_path):
    assert not wake(Home(tmp_path / "missing"))
    assert not wake(Home(tmp_path))


def test_somebody_is_there(tmp_path):
    home = Home(tmp_path)
    with listen(home) as waker:
        assert wake(home)
        assert waker.recv(16) == b"!"


def test_a_dead_engine_leaves_a_file_that_deceives_nobody(tmp_path):
    home = Home(tmp_path)
    listen(home).close()
    assert home.socket.exists()
    assert not wake(home)


def test_an_engine_with_a_full_queue_is_there(tmp_path):
    home = Home(tmp_path)
    with listen(home):
        assert all(wake(home) for _ in range(5000))


def test_a_home_with_a_long_path(tmp_path):
    home = Home(tmp_path / ("x" * 200))
    home.path.mkdir()
    with listen(home):
        assert wake(home)


def test_looking_wakes_nobody(tmp_path):
    home = Home(tmp_path)
    with listen(home) as waker:
        assert present(home)
        with pytest.raises(BlockingIOError):
            waker.recv(16)
    assert not present(home)
