"""The same work against the originals, other servers and us, in turn, in one run."""
