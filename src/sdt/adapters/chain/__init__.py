"""The chain seen from the platform: a light reader, a web3 client, deployment, and an embedded node.

Nothing is imported here, so that a process which only reads never loads web3 or an EVM.
"""
