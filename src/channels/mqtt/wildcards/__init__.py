"""What filters with wildcards bring: names that are told, and the first publications of new ones."""
