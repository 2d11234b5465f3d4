"""Who is in a group: the broker asks the processes that have members, and collects their answers."""

from __future__ import annotations

import pytest

from channels.layers.host.wire import frames as wire
from tests.layers.host.broker.site import PATIENCE


def able(site, name, *groups):
    """A process that can say which of its channels are in a group."""
    process = site.process(name, greet=False)
    process.sock.sendall(wire.PREAMBLE)
    process.send(wire.Hello(name, 4242, list(groups), [], [], [wire.GROUP_MEMBERS]))
    process.welcome = process.next(wire.Welcome)
    return process


def test_all_that_have_members_are_asked_and_named_channels_are_known(site):
    asker, one, two, other = (
        able(site, name, *groups)
        for name, groups in (("asker", ["g"]), ("one", ["g"]), ("two", ["g"]), ("other", ["h"]))
    )
    asker.send(wire.GroupChange(1, "g", "work", "", True, 10, 60.0))
    asker.next(wire.Answer)
    asker.send(wire.GroupQuery(2, "g", PATIENCE))
    for process, channels in ((one, ["b"]), (two, ["c", "a"])):
        process.send(wire.GroupQueryReply(process.next(wire.GroupQueryRequest).token, channels))
    assert asker.next(wire.GroupQueryResult) == wire.GroupQueryResult(2, ["a", "b", "c", "work"], 0)
    assert other.all_until_answer() == []


def test_a_group_without_members_elsewhere_is_answered_at_once(site):
    asker = able(site, "asker", "g")
    asker.send(wire.GroupQuery(1, "g", PATIENCE))
    assert asker.next(wire.GroupQueryResult) == wire.GroupQueryResult(1, [], 0)


def test_who_does_not_answer_in_time_or_cannot_is_counted(site):
    asker, silent, old = able(site, "asker"), able(site, "silent", "g"), site.process("old", ["g"])
    asker.send(wire.GroupQuery(1, "g", 0.02))
    token = silent.next(wire.GroupQueryRequest).token
    assert asker.next(wire.GroupQueryResult) == wire.GroupQueryResult(1, [], 2)
    silent.send(wire.GroupQueryReply(token, ["late"]))
    assert asker.all_until_answer() == old.all_until_answer() == []


def test_who_has_ended_is_not_waited_for(site):
    asker, one, gone = able(site, "asker"), able(site, "one", "g"), able(site, "gone", "g")
    asker.send(wire.GroupQuery(1, "g", PATIENCE))
    gone.next(wire.GroupQueryRequest)
    gone.send(wire.Bye(1))
    assert gone.is_cut_off()
    one.send(wire.GroupQueryReply(one.next(wire.GroupQueryRequest).token, ["a"]))
    assert asker.next(wire.GroupQueryResult) == wire.GroupQueryResult(1, ["a"], 0)


def test_the_last_that_is_asked_may_end(site):
    asker, gone = able(site, "asker"), able(site, "gone", "g")
    asker.send(wire.GroupQuery(1, "g", PATIENCE))
    gone.next(wire.GroupQueryRequest)
    gone.send(wire.Bye(1))
    assert asker.next(wire.GroupQueryResult) == wire.GroupQueryResult(1, [], 0)


def test_an_asker_that_has_ended_is_not_answered(site):
    asker, one = able(site, "asker"), able(site, "one", "g")
    asker.send(wire.GroupQuery(1, "g", PATIENCE))
    token = one.next(wire.GroupQueryRequest).token
    asker.send(wire.Bye(2))
    assert asker.is_cut_off()
    one.send(wire.GroupQueryReply(token, ["a"]))
    assert one.all_until_answer() == []


@pytest.mark.parametrize("whose", ["another's", "nobody's"])
def test_answers_to_other_questions_are_ignored(site, whose):
    asker, one, liar = able(site, "asker"), able(site, "one", "g"), able(site, "liar")
    asker.send(wire.GroupQuery(1, "g", PATIENCE))
    token = one.next(wire.GroupQueryRequest).token
    liar.send(wire.GroupQueryReply(token if whose == "another's" else token + 1000, ["lie"]))
    assert liar.all_until_answer() == []
    one.send(wire.GroupQueryReply(token, ["a"]))
    assert asker.next(wire.GroupQueryResult).channels == ["a"]
