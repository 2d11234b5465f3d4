"""The processes of a project, and what each of them says when one asks all.

Each process that serves joins one group of the channel layer. Whoever asks sends a question to the group and
gets an answer from each process, on a channel of its own. Long lists are sorted, filtered and cut where they
are; here only the pieces are merged. Who does not answer within a second is named, and waited for no longer.

This traffic goes over a layer of its own with the same settings, so that it does not count as the project's.
"""
