"""Which tables are compared: what is ignored, and which schemas are looked at."""
