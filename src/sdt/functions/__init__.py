"""The platform as functions of AWS Lambda: the API, screening, and the sweeper, over the same code as the servers."""
