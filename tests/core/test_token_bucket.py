"""How much of something may come at once, and after that."""

from channels.core.token_bucket import TokenBucket


def test_ten_seconds_worth_may_come_at_once() -> None:
    pace = TokenBucket(2, 0.0)
    assert [pace.allows(0.0) for _ in range(21)] == [True] * 20 + [False]
    assert [pace.allows(1.0) for _ in range(2)] == [True, False]
    assert [pace.allows(100.0) for _ in range(21)] == [True] * 20 + [False]


def test_who_keeps_to_the_rate_is_never_too_fast() -> None:
    pace = TokenBucket(2, 0.0)
    assert all(pace.allows(tick / 2) for tick in range(1000))


def test_all_that_may_come_at_once_can_be_taken_at_once() -> None:
    pace = TokenBucket(2, 0.0)
    assert [pace.take_all(now) for now in (0.0, 0.0, 0.4, 0.5, 2.0, 100.0)] == [20, 0, 0, 1, 3, 20]
    assert not pace.allows(100.0)
