"""Depositories of metal."""
