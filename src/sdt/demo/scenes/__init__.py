"""Scenarios: what a bank, a depository or a list can do to somebody's money, each played on a real platform.

A scene is a small file here with a `SCENE`; `catalogue` lists them, `play` plays one and holds the books against each
other. A scene drives the platform as an integrator or an officer would: by the API, signed messages, the desks and the
sandbox's magic. What it says it saw, it read.
"""
