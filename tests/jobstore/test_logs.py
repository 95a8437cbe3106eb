"""The end of a log."""

from __future__ import annotations

from pathlib import Path

from smc_tui.jobstore.logs import READ, WIDTH, last_lines


def test_the_end_of_a_log_is_read_whatever_its_size(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_lines(log) == []
    log.write_bytes(b"")
    assert last_lines(log) == []
    log.write_bytes(b"first\n" + b"x" * (READ * 2) + b"\n" + b"\xff\x1b[1mlast\r\n" * 30)
    lines = last_lines(log)
    assert len(lines) == 20
    assert set(lines) == {"\ufffd\ufffd[1mlast"}
    log.write_bytes(b"y" * READ)
    assert last_lines(log) == ["y" * WIDTH]
    assert last_lines(tmp_path) == []
