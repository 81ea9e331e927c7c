"""Statements noted one by one, where a database commits each: resume, resolve."""
