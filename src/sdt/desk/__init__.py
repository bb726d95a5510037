"""The desks: officials with keys of their own, apart from the API and the worker.

Each looks at the evidence where it lies (the bank, the depository, the KYC vendor), never at what the API says of it,
and then signs a message like anybody else.
"""
