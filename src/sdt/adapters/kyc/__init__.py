"""Identity vendors."""
