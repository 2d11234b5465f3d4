"""Topic classes are found by the names of their topics."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from channels.topics import History, Topic, UnknownTopic
from channels.topics.registry import require_topic, resolve, topic_classes, unregister
from tests.topics.topics_for_tests import Room, Typed


def test_a_name_becomes_a_topic_with_its_parameters() -> None:
    topic = resolve("typed:7")
    assert topic == Typed(number=7)
    assert topic.number == 7
    assert str(topic) == "typed:7"
    assert repr(topic) == "<Typed typed:7>"
    assert hash(topic) == hash(Typed(number=7))
    assert topic != Room(name="7")


def test_a_name_that_its_topic_would_not_have_is_none() -> None:
    assert resolve("typed:007") is None
    with pytest.raises(UnknownTopic, match="typed:<int:number>"):
        require_topic("typed:007")


def test_two_classes_cannot_have_one_pattern() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"Room has already"):
        type("Second", (Topic,), {"pattern": Room.pattern})


def test_a_module_may_be_loaded_again() -> None:
    made = [type("Again", (Topic,), {"pattern": "again:<x>", "__module__": "somewhere"}) for _ in range(2)]
    assert [cls for cls in topic_classes() if cls in made] == made[1:]
    unregister(made[1])
    assert resolve("again:x") is None


def test_a_class_without_a_pattern_makes_no_topics() -> None:
    abstract = type("Abstract", (Topic,), {"history": History(size=1, ttl=1)})
    with pytest.raises(TypeError, match="Abstract has no pattern"):
        abstract()


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"pattern": "x1:<publish>"}, r"would hide Topic\.publish"),
        ({"pattern": "x2", "history": 300}, r"write History"),
        ({"pattern": "x3", "cache": True}, "cache = True needs a history"),
        ({"pattern": "x4", "delta": True}, "delta = True needs a history"),
        ({"pattern": "x5", "join_leave": True}, "needs presence = True"),
        ({"pattern": "x6", "slow_clients": "drop"}, "slow_clients is 'drop'"),
        (
            {"pattern": "x7", "slow_clients": "latest", "history": History(size=9, ttl=9)},
            "leaves publications out",
        ),
    ],
)
def test_what_does_not_fit_together_is_told_with_the_remedy(
    attributes: dict[str, object], words: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=words):
        type("Wrong", (Topic,), attributes)


@pytest.mark.parametrize(("size", "ttl"), [(0, 60), (10, 0), (-1, -1)])
def test_a_history_keeps_something_for_some_time(size: int, ttl: float) -> None:
    with pytest.raises(ImproperlyConfigured, match="size is at least 1"):
        History(size=size, ttl=ttl)
