"""Stand-in vendors: a bank, an identity check, name screening and a depository, over HTTP like the real ones."""
