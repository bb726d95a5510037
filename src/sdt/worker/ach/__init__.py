"""ACH by files: gathered at cut-offs, delivered once, followed by what comes back and by the calendar."""
