"""The serializers and their registry under their usual names."""

from channels.core.absent import explain_absent
from channels.layers.serializers import (
    BaseMessageSerializer,
    JSONSerializer,
    MsgPackSerializer,
    SerializerDoesNotExist,
    SerializersRegistry,
    registry,
)

__all__ = [
    "BaseMessageSerializer",
    "JSONSerializer",
    "MsgPackSerializer",
    "SerializerDoesNotExist",
    "SerializersRegistry",
    "registry",
]

_FERNET = "import it from cryptography.fernet; the setting symmetric_encryption_keys takes keys."
#: Absent names of the original, with what to use.
ABSENT = {
    "Fernet": _FERNET,
    "MultiFernet": _FERNET,
    "MissingSerializer": "both formats are always there; an unknown one raises SerializerDoesNotExist.",
}
explain_absent(__name__, ABSENT)
