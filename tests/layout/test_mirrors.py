"""Each module has tests of its own, where its path says."""

from __future__ import annotations

from tests.scripts.loading import load

report = load("coverage_by_module")

#: Below these paths modules are tested through what stands on them.
THROUGH = {
    "channels/layers/redis/": "the layers' classes, against real servers",
    "channels/journal/": "the contract of stores and what ends relays, on real databases",
    "channels/mqtt/": "packets over real sockets, and the clients of others",
    "channels/outbox/": "what users call, against real databases, and processes that are killed",
    "channels/topics/": "clients of the protocol, and the contract of stores",
    "channels/tasks/": "the backend, a worker in the process, and processes that are killed",
    "channels/live/": "clients, whose rows have to be those of the database, in one process and in several",
    "channels/observability/": "what others read of it: the library of Prometheus, promtool, real processes",
    "channels/observability/fleet/": "three server processes over each layer, some stopped or killed",
    "channels/inspector/": "the pages and the command, over three server processes",
    "channels/testing/store_contract/": "the stores that the contract is run on",
    "channels/testing/topics.py": "tests of topics that users would write",
}


def without_tests() -> list[str]:
    found = [module for module in report.modules() if not report.own_tests(module)]
    return [module.relative_to(report.SOURCE).as_posix() for module in found]


def test_each_module_has_a_test_file_of_its_own() -> None:
    assert [module for module in without_tests() if not module.startswith(tuple(THROUGH))] == []
