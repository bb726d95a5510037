"""A one-process chain for a laptop: Berlin rules, zero gas price, SQLite, JSON-RPC over HTTP.

It speaks to clients as a Quorum node does, so that nothing above it knows which of the two it talks to.
`python -m sdt.adapters.chain.embedded --db chain.sqlite --port 0` prints `ready PORT` when it listens.
"""
