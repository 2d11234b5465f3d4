"""What counts in one process: facts that it hears, what it measures, and what registered objects say."""
