"""Reading the rows of a live query from the database, in a thread, and writing them as JSON."""
