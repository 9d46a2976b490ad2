"""What a function as usually written imports at its top. No answer of the benchmark's needs boto3."""

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayRestResolver

__all__ = ["APIGatewayRestResolver", "Logger", "Metrics", "boto3"]
