"""What stands in for API Gateway and the Lambda service on one machine, for tests and platforms without a cloud."""
