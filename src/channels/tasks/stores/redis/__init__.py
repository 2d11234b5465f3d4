"""The store of tasks in Redis: each task a hash, and the sets that have the tasks of each state.

``lua/`` is what happens in one step; ``lua/task.lua``, which begins every script, is the place that moves a
task from one state to another, with the sets that have it. No key is ever searched for. All keys of a store
begin with one hash tag, so that they are in one slot of a cluster.
"""
