"""Runs over a real sshd: the same images by another way."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from smc_tui.model.errors import SmcError
from tests.support.disks import BLOCK, MIB, change_disk, make_disk
from tests.support.pythons import old_pythons
from tests.support.runs import Job, image_equals
from tests.support.sshd import SSHD, Sshd, keygen

pytestmark = [
    pytest.mark.sshd,
    pytest.mark.skipif(SSHD is None, reason="no sshd on this machine: install openssh-server"),
]


def call(*words: str) -> None:
    """Run a command that must succeed."""
    subprocess.run(words, check=True, capture_output=True)


def ssh_job(folder, server: Sshd) -> Job:
    home = folder / "home"
    home.mkdir(mode=0o700)
    facts = {"target": "source", "port": None, "config": str(server.config)}
    return Job(home, [make_disk(folder / "disk", 50 * MIB)], ssh=facts)


@pytest.fixture
def server(tmp_path):
    server = Sshd.prepare(tmp_path / "sshd")
    yield server
    server.stop()


def test_full_and_incremental(tmp_path, server):
    job = ssh_job(tmp_path, server)
    job.survey(server.fingerprint)
    job.result()
    change_disk(job.paths[0], 9, seed=2)
    assert job.result(kind="Manual")["bytes_sent"] <= 9 * BLOCK
    for image in ("m-00000001", "m-00000002"):
        with job.store() as store:
            assert store.verify(image).ok
    assert image_equals(job, "m-00000002", 0, job.paths[0])


OLD = old_pythons()[:1]


@pytest.mark.skipif(not OLD, reason="no Python older than 3.10 here to play the source's")
def test_a_source_without_blake3_gives_the_same_images(tmp_path):
    server = Sshd.prepare(tmp_path / "sshd", python=OLD[0])
    try:
        job = ssh_job(tmp_path, server)
        assert job.survey(server.fingerprint)["python"].startswith("3.")
        first = job.result()
        assert first["hash"] == "blake2b"
        change_disk(job.paths[0], 9, seed=2)
        second = job.result(compression=1)
        assert 0 < second["bytes_sent"] <= 9 * BLOCK
        assert image_equals(job, "m-00000002", 0, job.paths[0])
    finally:
        server.stop()
    job.ssh = None
    job.survey()
    assert job.result()["bytes_sent"] == 0, "another hash for comparing, the same names"
    assert image_equals(job, "m-00000003", 0, job.paths[0])


def test_nothing_is_sent_to_a_server_with_another_host_key(tmp_path, server):
    job = ssh_job(tmp_path, server)
    with pytest.raises(SmcError) as raised:
        job.survey()
    assert raised.value.code == "HostKey.NotAccepted"
    assert raised.value.facts["fingerprint"] == server.fingerprint
    with pytest.raises(SmcError) as raised:
        job.survey("SHA256:" + "A" * 43)
    assert raised.value.code == "HostKey.NotAccepted"
    job.survey(server.fingerprint)
    server.stop()
    for name in ("host_key", "host_key.pub"):
        (server.folder / name).unlink()
    keygen(server.folder / "host_key")
    server.start()
    assert job.run()["code"] == "HostKey.Changed"
    with pytest.raises(SmcError) as raised:
        job.survey("SHA256:" + "A" * 43)
    assert raised.value.code == "HostKey.Changed"
    job.survey(server.fingerprint)
    job.result()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"target": "nowhere.invalid"}, "Source.UnknownHost"),
        ({"target": "127.0.0.1", "port": 1}, "SourceServer.Offline"),
        ({"target": "nobody-here@source"}, "Source.AuthRefused"),
        ({"target": "-oProxyCommand=x"}, "Source.BadAddress"),
        ({"target": "a;b"}, "Source.BadAddress"),
        ({"target": "a b"}, "Source.BadAddress"),
    ],
)
def test_what_is_wrong_with_the_way_has_its_own_code(tmp_path, server, change, code):
    job = ssh_job(tmp_path, server)
    job.survey(server.fingerprint)
    job.ssh.update(change)
    assert job.run()["code"] == code


@pytest.mark.parametrize(
    ("python", "code"), [("/bin/false", "Agent.Died"), ("/nonexistent", "Source.NoPython")]
)
def test_a_source_without_a_usable_python(tmp_path, python, code):
    server = Sshd.prepare(tmp_path / "sshd", python=python)
    try:
        job = ssh_job(tmp_path, server)
        with pytest.raises(SmcError) as raised:
            job.survey(server.fingerprint)
        assert raised.value.code == code
    finally:
        server.stop()


def test_the_way_may_lead_through_a_jump_host(tmp_path, server):
    """The user's configuration knows the jump host's key, we know the source's."""
    with server.config.open("a") as file:
        file.write(f" UserKnownHostsFile {tmp_path}/own\n StrictHostKeyChecking accept-new\n")
        file.write(f"Host inner\n HostName 127.0.0.1\n Port {server.port}\n ProxyJump source\n")
    job = ssh_job(tmp_path, server)
    job.ssh["target"] = f"{server.user}@inner"
    job.survey(server.fingerprint)
    job.result()
    assert image_equals(job, "m-00000001", 0, job.paths[0])
    (job.home / "known_hosts").write_text("")
    assert job.run()["code"] == "HostKey.NotAccepted"


@pytest.fixture
def other_user():
    """A user of this machine who is not root, with no right to sudo yet."""
    name = "smc-tui-test"
    call("useradd", "--create-home", "--shell", "/bin/sh", "--password", "*", name)
    rule = Path("/etc/sudoers.d") / name
    yield name, rule
    rule.unlink(missing_ok=True)
    subprocess.run(["pkill", "-KILL", "-u", name], check=False)
    call("userdel", "--remove", name)


@pytest.mark.root
@pytest.mark.skipif(os.getuid() != 0, reason="needs root to make a user")
@pytest.mark.skipif(shutil.which("sudo") is None, reason="no sudo on this machine")
def test_a_user_who_is_not_root_reads_through_sudo(tmp_path, server, other_user):
    name, rule = other_user
    server.folder.chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    (server.folder / "authorized_keys").chmod(0o644)
    job = ssh_job(tmp_path, server)
    job.paths[0].chmod(0o600)
    job.ssh["target"] = f"{name}@source"
    with pytest.raises(SmcError) as raised:
        job.survey(server.fingerprint)
    assert raised.value.code == "Source.NoSudo"
    rule.write_text(f"{name} ALL=(root) NOPASSWD: ALL\n")
    rule.chmod(0o440)
    assert job.survey()["user"] == 0
    job.result()
    assert image_equals(job, "m-00000001", 0, job.paths[0])
