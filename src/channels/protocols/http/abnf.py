"""The grammar of HTTP's fields and lines, once: each rule beside the section that defines it.

The rules are parts of regular expressions over bytes, so that others can be built of them; what is asked for
often is compiled. Where we take less than the standard allows, the rule says so.
"""

from __future__ import annotations

import re

#: tchar (RFC 9110 5.6.2), as a class of characters.
TCHAR = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
#: token (RFC 9110 5.6.2): a method (9.1), a field name (5.1), a subprotocol (RFC 6455 4.1).
TOKEN = TCHAR + rb"+"
#: A field name as HTTP/2 has it, without uppercase letters (RFC 9113 8.2.1).
LOWERCASE_NAME = rb"[!#$%&'*+.^_`|~0-9a-z-]+"
#: OWS (RFC 9110 5.6.3).
OWS = rb"[ \t]*"
#: field-value behind its OWS (RFC 9110 5.5): HTAB, SP, VCHAR and obs-text, no white space at the end.
FIELD_VALUE = rb"(?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?"
#: field-line of HTTP/1.1 with its CR LF (RFC 9112 5): name and value are groups. No space before the colon.
FIELD_LINE = rb"(" + TOKEN + rb"):" + OWS + rb"(" + FIELD_VALUE + rb")" + OWS + rb"\r\n"
#: chunk-size and chunk-ext (RFC 9112 7.1). 16 digits are all that fit into 64 bits: whoever takes more, or
#: cuts them, reads another size. An extension is not looked at, but for characters that no line may have.
CHUNK_LINE = rb"([0-9A-Fa-f]{1,16})(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n"
#: request-line (RFC 9112 3): any target without controls, any version.
REQUEST_LINE = TOKEN + rb" ([\x21-\x7e]+) HTTP/([0-9]\.[0-9])\r\n"
#: uri-host and port (RFC 3986 3.2.2 and 3.2.3): reg-name or an address in brackets, then a port. Empty is
#: allowed (RFC 9110 7.2).
HOST = rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=%]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?"
#: Content-Length (RFC 9110 8.6), with as many digits as fit into 64 bits.
LENGTH = rb"[0-9]{1,18}"

is_token = re.compile(TOKEN).fullmatch
is_token_text = re.compile(TOKEN.decode("ascii")).fullmatch
is_lowercase_name = re.compile(LOWERCASE_NAME).fullmatch
is_host = re.compile(HOST).fullmatch
is_length = re.compile(LENGTH).fullmatch


def list_elements(value: bytes) -> list[bytes]:
    """Split a list whose elements have no quoted strings (RFC 9110 5.6.1.2): empty elements are ignored.

    Args:
        value: of one field, or of several that are joined with commas.
    """
    return [element for part in value.split(b",") if (element := part.strip(b" \t"))]
