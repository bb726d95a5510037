"""Rotation of keys, called by Secrets Manager: `sdt.functions.entry.rotation.handler`."""

from sdt.functions.opening import open_rotation

__all__ = ["handler"]

handler = open_rotation().handler
