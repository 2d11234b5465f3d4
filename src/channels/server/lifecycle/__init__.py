"""How a server starts, serves and stops: lifespan, garbage collection, drain, deadline."""
