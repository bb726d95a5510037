"""What a process tells about itself: log lines, figures, health and traces. Known to every part, and knows none.

Nothing here names a person or shows a secret; a part that must run alone, such as a signer, may use all of it.
"""
