"""The pool of threads in which sync code runs, and its way back to the event loop."""
