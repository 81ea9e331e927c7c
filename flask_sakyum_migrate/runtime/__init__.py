"""How Alembic is run: the folder, its settings, the environment, the binds, the lock of Python.

``folder`` and ``known`` do without Alembic; the others import it, and are imported when a command
has something to run.
"""
