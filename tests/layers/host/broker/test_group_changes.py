from __future__ import annotations

from channels.layers.host.wire import frames as wire


def test_a_membership_of_another_process_is_asked_for_there(site):
    one, two = site.process("one"), site.process("two")
    one.send(wire.GroupChange(7, "g", "c", "two", True, 1, 60))
    asked = two.next(wire.GroupChangeRequest)
    assert (asked.group, asked.channel, asked.joins) == ("g", "c", True)
    two.send(wire.GroupChangeDone(asked.token), wire.GroupChangeDone(asked.token))
    assert one.next(wire.Answer).number == 7
    one.send(wire.GroupChange(8, "g", "c", "two", False, 1, 60))
    two.next(wire.GroupChangeRequest)
    two.sock.close()
    assert one.next(wire.Answer).number == 8
    one.send(wire.GroupChange(9, "g", "c", "two", True, 1, 60))
    assert one.next(wire.Answer).number == 9


def test_only_the_asked_process_answers_for_what_it_was_asked(site):
    one, two, three = (site.process(name) for name in ("one", "two", "three"))
    one.send(wire.GroupChange(7, "g", "c", "two", True, 1, 60))
    two.next(wire.GroupChangeRequest)
    three.send(wire.Bye(1))
    assert three.is_cut_off()
    assert one.all_until_answer() == []


def test_a_named_channel_is_forgotten_by_all_that_have_added_it(site):
    one, two = site.process("one"), site.process("two")
    for number, process in enumerate((one, two), 1):
        process.send(wire.GroupChange(number, "g", "work", "", True, 1, 60))
        assert process.next(wire.Answer).number == number
    one.send(wire.GroupChange(3, "g", "work", "", False, 1, 60))
    assert one.next(wire.Answer).number == 3
    assert two.next(wire.GroupChangeRequest) == wire.GroupChangeRequest(0, "g", "work", False)
    assert one.all_until_answer() == []
