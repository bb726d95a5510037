"""Screening vendors."""
