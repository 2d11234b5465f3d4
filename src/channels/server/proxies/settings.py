"""Options about proxies that do not go together."""

from __future__ import annotations

from collections.abc import Collection


def conflict(
    trusted: Collection[str] | None, address_header: str | None, root_path_header: bool
) -> str | None:
    """Name what needs to know who the proxies are, and does not.

    Args:
        trusted: the addresses of proxies; None if whoever connects is believed.
        address_header: which header names the client.
        root_path_header: whether a header says the root path.

    Returns:
        One sentence for the error; None if all is well.
    """
    if trusted is not None:
        return None
    if root_path_header:
        return (
            "root_path_header believes Daphne-Root-Path of trusted proxies only, and none is named: "
            "add --trusted-proxies."
        )
    if address_header is not None and address_header.lower() == "forwarded":
        return "Forwarded is read back to the first address that is no proxy's: add --trusted-proxies."
    return None
