"""What the settings of this machine name: checks, layers, stores of topics, databases, tasks."""
