"""``hosts`` as the layer holds it: a mistake is told where Redis is first used, and by a system check.

A settings file may be read where there is no Redis, and nothing in it that says where one is: when
an image is built, or by ``manage.py migrate`` in a test. Making the layer must work there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from channels.layers.redis.hosts.addresses import DEFAULT_HOSTS, Address, parse_entry, require_one_cluster

logger = logging.getLogger("channels.layers.redis")

NOT_A_LIST: Final = "You must pass a list of Redis hosts, even if there is only one."


def decode_hosts(hosts: Any) -> list[Any]:
    """Return ``hosts`` as channels_redis 4.3 has it in ``layer.hosts``: a dict for each entry.

    Raises:
        ValueError: it is text.
    """
    if isinstance(hosts, str | bytes) and hosts:
        raise ValueError(NOT_A_LIST)
    return [_decoded(entry) for entry in hosts or DEFAULT_HOSTS]


def _decoded(entry: Any) -> Any:
    if isinstance(entry, Mapping):
        return entry
    if isinstance(entry, tuple | list) and len(entry) > 1:
        return {"host": entry[0], "port": entry[1]}
    return {"address": entry}


class Hosts:
    """The servers of one layer.

    Args:
        setting: what stands in ``CONFIG["hosts"]``.

    Raises:
        ValueError: it is text, or nothing that has entries.
    """

    def __init__(self, setting: Any) -> None:
        if isinstance(setting, str | bytes | Mapping) and setting:
            raise ValueError(f"{NOT_A_LIST} Got {type(setting).__name__}.")
        if setting and not isinstance(setting, Sequence | set | frozenset):
            raise ValueError(f"{NOT_A_LIST} Got {type(setting).__name__}.")
        self._entries = tuple(setting or DEFAULT_HOSTS)
        self._addresses: tuple[Address, ...] | None = None

    def __len__(self) -> int:
        """Count the shards."""
        return len(self._entries)

    @property
    def addresses(self) -> tuple[Address, ...]:
        """What the entries say.

        Raises:
            ValueError: an entry cannot be understood; says which.
            TypeError: an entry has an option that redis-py does not know.
        """
        if self._addresses is None:
            found = tuple(parse_entry(entry, f"hosts[{n}]") for n, entry in enumerate(self._entries))
            require_one_cluster(found)
            for note in filter(None, (address.note for address in found)):
                logger.warning("%s", note)
            self._addresses = found
        return self._addresses

    @property
    def label(self) -> str:
        """How logs and errors call the servers; no password."""
        try:
            return ", ".join(address.label for address in self.addresses)
        except (ValueError, TypeError):
            return "hosts that cannot be understood"


def mistakes_in(setting: Any) -> list[str]:
    """Return what is wrong with a setting ``hosts``, and what is passed over in it; holds no password."""
    try:
        entries = Hosts(setting)._entries
    except ValueError as error:
        return [str(error)]
    found, mistakes = [], []
    for n, entry in enumerate(entries):
        try:
            found.append(parse_entry(entry, f"hosts[{n}]"))
        except (ValueError, TypeError) as error:
            mistakes.append(str(error))
    try:
        require_one_cluster(found)
    except ValueError as error:
        mistakes.append(str(error))
    return mistakes + [address.note for address in found if address.note]
