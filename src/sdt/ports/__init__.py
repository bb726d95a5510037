"""What is outside the platform and has more than one implementation: one Protocol each, and its answers.

Nothing here does anything: workflows depend on these names, adapters implement them. Each port is a module, so that
who needs one does not load them all.
"""
