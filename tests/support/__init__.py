"""What the tests share: programs to run, servers, clients and sites."""
