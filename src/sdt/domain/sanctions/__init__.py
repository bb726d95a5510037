"""Sanctions lists: read, indexed, and names held against them with a score that can be explained."""
