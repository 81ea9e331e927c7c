"""Revision files: how they are written, and read once more before."""
