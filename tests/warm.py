"""Imported by the process that others are forked from: boto3 has read its descriptions of services once."""

import boto3

for service in ("s3", "sqs"):
    boto3.client(service, "auto", aws_access_key_id="none", aws_secret_access_key="none")
