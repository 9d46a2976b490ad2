"""The ports kept by AWS: CloudWatch, Lambda, DynamoDB, SSM, tags."""
