"""The connected clients of one event loop, by their ids and by their users."""

from __future__ import annotations

from channels.topics.delivery.subscription import Client


class Clients(dict[str, Client]):
    """Those that have connected, by their ids."""

    def __init__(self) -> None:
        super().__init__()
        self._users: dict[str, dict[Client, None]] = {}

    @property
    def users(self) -> int:
        """How many different users they are."""
        return len(self._users)

    def add(self, client: Client) -> None:
        """Have a client found."""
        self[client.id] = client
        self._users.setdefault(client.user_id, {})[client] = None

    def discard(self, client: Client) -> None:
        """Forget a client, if it was added."""
        if self.pop(client.id, None) is not None:
            of_user = self._users[client.user_id]
            del of_user[client]
            if not of_user:
                del self._users[client.user_id]

    def chosen(self, user: str | None, client: str = "", session: str = "") -> list[Client]:
        """Return the clients of a user (None: of all) with an id and a secret ("": any)."""
        if client:
            known = self.get(client)
            found = [known] if known is not None and user in (None, known.user_id) else []
        else:
            found = list(self.values() if user is None else self._users.get(user, ()))
        return [each for each in found if each.secret == session] if session else found
