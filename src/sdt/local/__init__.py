"""One whole platform on one machine: made, started and opened by a single command."""
