"""One process's server on each kind of loop, with what it has beside it, and told to stop in each way."""
