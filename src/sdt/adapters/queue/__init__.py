"""Queues: the embedded one (a SQLite file) and, later, Amazon SQS."""
