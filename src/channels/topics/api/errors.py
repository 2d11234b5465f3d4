"""What the API answers where it has no result."""

from __future__ import annotations

from typing import Any, Final

from channels.exceptions import ChannelsError
from channels.protocols.centrifuge.codes import ErrorCode
from channels.topics.payloads import InvalidData
from channels.topics.registry import UnknownTopic

#: The statuses of errors where they are asked for; others are 500.
STATUS: Final[dict[int, int]] = {
    ErrorCode.UNKNOWN_CHANNEL: 404,
    ErrorCode.METHOD_NOT_FOUND: 404,
    ErrorCode.PERMISSION_DENIED: 403,
    ErrorCode.LIMIT_EXCEEDED: 400,
    ErrorCode.BAD_REQUEST: 400,
    ErrorCode.NOT_AVAILABLE: 400,
    ErrorCode.UNRECOVERABLE_POSITION: 416,
}


class APIError(ChannelsError):
    """The answer is an error.

    Args:
        code: of the protocol, or 400 to 1999 of the application.
        message: for people; the usual one of the code if empty.
    """

    def __init__(self, code: int, message: str = "") -> None:
        self.code = int(code)
        self.message = message or (code.message if isinstance(code, ErrorCode) else "")
        super().__init__(f"{self.code} {self.message}")

    @property
    def status(self) -> int:
        """The status of HTTP that says it best."""
        return STATUS.get(self.code, 500)

    @property
    def content(self) -> dict[str, Any]:
        """The error as JSON has it."""
        return {"code": self.code, "message": self.message}


def as_api_error(error: APIError | UnknownTopic | InvalidData) -> APIError:
    """Return an error of what was asked as the API says it."""
    if isinstance(error, UnknownTopic):
        return APIError(ErrorCode.UNKNOWN_CHANNEL)
    return APIError(ErrorCode.BAD_REQUEST, str(error)) if isinstance(error, InvalidData) else error
