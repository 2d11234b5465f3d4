"""Seeing what changes in the database, and telling it after the commit.

``statements`` sees what Django's compilers execute, and notes it in the open transaction (``transactions``).
After its commit ``hints`` tells those processes that serve live queries. A hint says which tables have
changed and, if that is known, the keys of the rows: never what is in them.
"""

from channels.live.capture.told import changed

__all__ = ["changed"]
