"""Types and server defaults: what differs, what may be lost, what is below a type."""
