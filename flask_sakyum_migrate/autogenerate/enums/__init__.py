"""Enums and their labels, as a type of PostgreSQL and as a list."""
