"""State Depository Token platform."""
