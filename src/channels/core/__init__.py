"""What every room above hands on: scopes, lazy values, messages for many sockets, refusals."""
