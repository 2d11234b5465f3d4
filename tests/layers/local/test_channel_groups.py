"""Which groups a channel has joined: few are kept small, many fast."""

import threading

from channels.layers.local.channel_groups import ChannelGroups


def test_joining_and_leaving():
    joined = ChannelGroups()
    joined.add("chan", "a")
    joined.add("chan", "a")
    joined.add("chan", "b")
    assert joined["chan"] == ("a", "b")
    assert "chan" in joined
    assert joined["other"] == ()
    assert "other" not in joined
    joined.discard("chan", "a")
    joined.discard("chan", "never")
    assert joined["chan"] == ("b",)
    joined.discard("chan", "b")
    assert "chan" not in joined
    joined.discard("other", "a")
    assert "other" not in joined


def test_a_channel_in_many_groups():
    joined = ChannelGroups()
    groups = {f"g{n}" for n in range(30)}
    for group in sorted(groups):
        joined.add("chan", group)
    assert set(joined["chan"]) == groups
    assert isinstance(joined._groups["chan"], set)
    for group in sorted(groups):
        joined.discard("chan", group)
    assert "chan" not in joined


def test_clearing_forgets_all():
    joined = ChannelGroups()
    joined.add("chan", "a")
    joined.clear()
    assert "chan" not in joined


def test_threads_do_not_lose_each_others_groups():
    joined = ChannelGroups()

    def join(thread):
        for n in range(200):
            joined.add("chan", f"{thread}.{n}")

    threads = [threading.Thread(target=join, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(joined["chan"]) == 800
