"""How far tasks are, as a topic of each: what a task reports, and who carries it to browsers."""
