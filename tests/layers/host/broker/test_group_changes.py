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
