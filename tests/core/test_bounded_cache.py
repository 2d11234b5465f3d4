import pytest

from channels.core.bounded_cache import BoundedCache, statistics


def test_what_is_missing_is_made_once():
    made = []
    cache = BoundedCache("test.once", 3, lambda key: made.append(key) or key * 2)
    assert [cache[2], cache[2], cache[5]] == [4, 4, 10]
    assert made == [2, 5]


def test_the_bound_holds_and_new_values_take_the_place_of_old_ones():
    cache = BoundedCache("test.bound", 3, str)
    for number in range(10):
        assert cache[number] == str(number)
        assert number in cache and len(cache) <= 3
    assert cache.statistics() == {"size": 1, "bound": 3, "misses": 10, "evictions": 9}


def test_values_that_stay():
    cache = BoundedCache("test.stay", 2, str, replace=False)
    assert [cache[number] for number in range(5)] == ["0", "1", "2", "3", "4"]
    assert list(cache) == [0, 1]
    assert cache.evictions == 0


def test_what_cannot_be_made_is_not_kept():
    cache: BoundedCache[str, int] = BoundedCache("test.refusing", 2, int)
    with pytest.raises(ValueError, match="invalid literal"):
        cache["x"]
    assert not cache and not cache.misses


def test_without_a_maker_a_key_is_missing():
    cache = BoundedCache("test.plain", 2)
    with pytest.raises(KeyError):
        cache[1]
    cache.keep(1, "one")
    assert cache[1] == "one"


def test_a_cache_keeps_something():
    with pytest.raises(ValueError, match="at least 1 value, not 0"):
        BoundedCache("test.none", 0)


def test_the_statistics_of_all_that_are_alive():
    cache = BoundedCache("test.alive", 2, str)
    cache[1]
    assert statistics()["test.alive"] == {"size": 1, "bound": 2, "misses": 1, "evictions": 0}
    del cache
    assert "test.alive" not in statistics()
