"""The embedded stack: real PostgreSQL and nats-server from their wheels, and the services on top."""
