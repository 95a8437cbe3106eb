"""Requests: one way to go, one end each, whoever presses how often."""

from __future__ import annotations

import threading

import pytest

from smc_tui.jobstore import JobStore, RequestState
from smc_tui.jobstore.writer import KEPT_REQUESTS
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.errors import SmcError
from tests.model.samples import NOW


def submitted(store, writer, **args):
    request_id = store.submit("job.sync", "web01-1", args, actor="tester")
    return next(each for each in writer.new_requests() if each.id == request_id)


def test_a_request_is_a_row_before_it_is_anything_else(store, writer):
    request = submitted(store, writer, a=1)
    assert request.verb == "job.sync"
    assert request.target == "web01-1"
    assert request.args == {"a": 1}
    assert request.actor == "tester"
    assert request.state is RequestState.NEW
    assert not request.state.ended


def test_requests_are_taken_in_the_order_they_came(store, writer):
    ids = [store.submit("x", str(number)) for number in range(5)]
    assert [request.id for request in writer.new_requests()] == ids


def test_the_way_to_done(store, writer):
    request = submitted(store, writer)
    with writer.transaction():
        assert writer.accept(request, NOW, {"job": "j-1"}, "run:r-1")
    assert writer.new_requests() == []
    accepted = writer.awaiting("run:r-1")[0]
    with writer.transaction():
        writer.write_request_progress(request.id, {"done": 3})
        assert writer.finish(accepted, NOW, {"image": "m-1"})
    done = store.request(request.id)
    assert done.state is RequestState.DONE
    assert done.result == {"job": "j-1", "image": "m-1"}
    assert done.progress == {"done": 3}
    assert done.checked() is done
    assert writer.awaiting("run:r-1") == []


def test_refused_and_failed_carry_their_error(store, writer):
    refused, failed = submitted(store, writer), submitted(store, writer)
    error = SmcError("ReplicationJob.InvalidStatus", "is Ready", allowed=["Waiting"])
    with writer.transaction():
        assert writer.refuse(refused, NOW, error)
        assert writer.accept(failed, NOW, {}, "work")
        assert writer.fail(failed, NOW, SmcError("Link.Lost", "gone"))
    found = store.request(refused.id)
    assert found.state is RequestState.REFUSED
    assert found.error.code == "ReplicationJob.InvalidStatus"
    assert found.error.facts == {"allowed": ["Waiting"]}
    with pytest.raises(SmcError, match=r"Link\.Lost: gone"):
        store.request(failed.id).checked()


def test_an_end_is_an_end(store, writer):
    request = submitted(store, writer)
    with writer.transaction():
        assert not writer.finish(request, NOW, {})  # never accepted
        assert writer.accept(request, NOW, {}, "work")
        assert not writer.accept(request, NOW, {}, "work")
        assert not writer.refuse(request, NOW, SmcError("Link.Lost"))
        assert writer.finish(request, NOW, {})
        assert not writer.finish(request, NOW, {})
        assert not writer.fail(request, NOW, SmcError("Link.Lost"))
    assert store.request(request.id).state is RequestState.DONE


def test_a_double_press_is_one_request(store, writer):
    first = store.submit("job.sync", "a", token="press-1")
    assert store.submit("job.sync", "a", token="press-1") == first
    assert store.submit("job.sync", "a", token="press-2") != first
    assert store.submit("job.sync", "a") != store.submit("job.sync", "a")
    assert len(writer.new_requests()) == 4


def test_two_command_lines_press_at_once(home, writer):
    found = []

    def press():
        with JobStore.open(home) as store:
            found.extend(store.submit("job.sync", "a", token="same") for _ in range(20))

    threads = [threading.Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 80
    assert len(set(found)) == 1
    assert len(writer.new_requests()) == 1


def test_a_withdrawn_request_is_never_accepted(store, writer):
    request = submitted(store, writer)
    assert store.withdraw(request.id)
    with writer.transaction():
        assert not writer.accept(request, NOW, {}, "work")
    assert store.request(request.id).state is RequestState.WITHDRAWN
    assert not store.withdraw(request.id)


def test_an_accepted_request_is_not_withdrawn(store, writer):
    request = submitted(store, writer)
    with writer.transaction():
        writer.accept(request, NOW, {}, "work")
    assert not store.withdraw(request.id)


def test_waiting_for_an_engine_that_is_not_there(store):
    request_id = store.submit("job.sync", "a")
    with pytest.raises(SmcError) as caught:
        store.wait(request_id, timeout=10)
    assert caught.value.code == "Engine.NotReachable"
    assert caught.value.exit_code is ExitCode.NO_ENGINE
    assert store.request(request_id).state is RequestState.WITHDRAWN


def test_an_engine_that_dies_after_accepting(store, writer):
    request = submitted(store, writer)
    with writer.transaction():
        writer.accept(request, NOW, {}, "run:r-1")
    assert store.wait(request.id).state is RequestState.ACCEPTED
    with pytest.raises(SmcError, match="successor"):
        store.wait(request.id, ended=True, timeout=10)
    assert store.request(request.id).state is RequestState.ACCEPTED


def test_waiting_has_an_end(store, writer, monkeypatch):
    monkeypatch.setattr(JobStore, "engine_alive", lambda self: True)
    request_id = store.submit("job.sync", "a")
    looks = []
    with pytest.raises(SmcError) as caught:
        store.wait(request_id, timeout=0.3, look=looks.append)
    assert caught.value.exit_code is ExitCode.TIMED_OUT
    assert len(looks) > 3
    assert store.request(request_id).state is RequestState.NEW


def test_waiting_sees_the_answer(home, store, writer):
    request = submitted(store, writer)
    found = []

    def wait():
        with JobStore.open(home) as other:
            found.append(other.wait(request.id, ended=True, timeout=10))

    thread = threading.Thread(target=wait)
    thread.start()
    with writer.transaction():
        writer.accept(request, NOW, {}, "work")
        writer.finish(request, NOW, {"x": 1})
    thread.join()
    assert found[0].result == {"x": 1}


def test_old_requests_are_forgotten_but_none_that_is_open(store, writer):
    kept_open = submitted(store, writer)
    for _ in range(KEPT_REQUESTS + 20):
        store.submit("x")
    with writer.transaction():
        for request in writer.new_requests()[1:]:
            writer.refuse(request, NOW, SmcError("Link.Lost"))
        writer.prune_requests()
    assert [request.id for request in writer.new_requests()] == [kept_open.id]
    (left,) = store._one("SELECT count(*) FROM requests")
    assert left == KEPT_REQUESTS + 1


def test_an_unknown_code_is_told_as_it_is(store, writer):
    request = submitted(store, writer)
    with writer.transaction():
        writer._connection.execute(
            "UPDATE requests SET state = 'refused', code = 'Of.Tomorrow' WHERE id = ?",
            (request.id,),
        )
    assert "Of.Tomorrow" in store.request(request.id).error.detail
