"""Configuration: what can be set, where it comes from, and one typed, frozen `Settings` for all else."""

from sdt.config.errors import ConfigurationInvalid
from sdt.config.load import load_settings
from sdt.config.model import Settings
from sdt.config.ports import open_ports, read_ports

__all__ = ["ConfigurationInvalid", "Settings", "load_settings", "open_ports", "read_ports"]
