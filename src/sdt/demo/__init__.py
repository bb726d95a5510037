"""The demonstration: one story told with real parts, and the books held against each other at its end."""
