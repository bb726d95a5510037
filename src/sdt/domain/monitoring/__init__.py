"""What an examiner expects to be noticed: patterns in a person's movements, as findings that name their rule.

Nothing here decides about anybody: a finding opens a case, and a case is an officer's. A finding is seen by the
compliance role alone.
"""
