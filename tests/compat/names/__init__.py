"""Every public name of the originals, and names that users add to our classes."""
