"""What there is to be seen in this process; read when somebody asks."""
