"""The visitor counter."""

from __future__ import annotations

from sites.provisioning.lessons.lesson import Call, Lesson

LESSONS: dict[str, Lesson] = {
    "db_subnet_group": Lesson(
        "Place for the counter's database",
        "It says in which networks of your account the database may be.",
        (
            Call(
                "rds",
                "CreateDBSubnetGroup",
                "lists the subnets of the default network.",
                "--db-subnet-group-name NAME --db-subnet-group-description cloudadmin "
                "--subnet-ids SUBNETS",
            ),
        ),
    ),
    "security_group": Lesson(
        "Firewall of the counter's database",
        "Only the counters themselves reach the database.",
        (
            Call(
                "ec2",
                "CreateSecurityGroup",
                "makes a group that lets nobody in.",
                "--group-name NAME --description cloudadmin --vpc-id VPC",
            ),
            Call(
                "ec2",
                "AuthorizeSecurityGroupIngress",
                "lets in its own members, for PostgreSQL alone.",
                "--group-id GROUP --protocol tcp --port 5432 --source-group GROUP",
            ),
        ),
    ),
    "db_instance": Lesson(
        "Database of the visitor counter",
        "A small PostgreSQL that keeps the counts of all sites of the account.",
        (
            Call(
                "rds",
                "CreateDBInstance",
                "starts the database, which takes some minutes.",
                "--db-instance-identifier NAME --engine postgres --db-instance-class db.t4g.micro "
                "--allocated-storage 20 --storage-encrypted --enable-iam-database-authentication "
                "--manage-master-user-password --master-username cloudadmin",
            ),
        ),
    ),
    "permission_boundary": Lesson(
        "Limit of what code may do",
        "Whatever a role of ours says, it can never do more than this.",
        (
            Call(
                "iam",
                "CreatePolicy",
                "writes the limit down.",
                "--policy-name NAME --policy-document file://boundary.json",
            ),
        ),
    ),
    "artifact": Lesson(
        "Code of the visitor counter",
        "The program that counts, put where Lambda fetches it.",
        (
            Call(
                "s3",
                "PutObject",
                "uploads the program as a zip.",
                "--bucket ARTIFACTS --key NAME --body counter.zip",
            ),
        ),
    ),
    "log_group": Lesson(
        "Log of the visitor counter",
        "What the counter says is kept for 14 days, then deleted.",
        (
            Call("logs", "CreateLogGroup", "makes the log.", "--log-group-name NAME"),
            Call(
                "logs",
                "PutRetentionPolicy",
                "deletes entries after 14 days.",
                "--log-group-name NAME --retention-in-days 14",
            ),
        ),
    ),
    "role": Lesson(
        "Rights of the visitor counter",
        "The counter may write its log and reach its own database, nothing else.",
        (
            Call(
                "iam",
                "CreateRole",
                "makes a role that only Lambda can take.",
                "--role-name NAME --assume-role-policy-document file://trust.json",
            ),
            Call(
                "iam",
                "PutRolePolicy",
                "gives it those two rights.",
                "--role-name NAME --policy-name NAME --policy-document file://rights.json",
            ),
        ),
    ),
    "lambda_function": Lesson(
        "Visitor counter",
        "It counts a visit without cookies and without storing an address.",
        (
            Call(
                "lambda",
                "CreateFunction",
                "makes the function from the program.",
                "--function-name NAME --runtime python3.13 --architectures arm64 --handler "
                "handler.handler --role ROLE --code S3Bucket=ARTIFACTS,S3Key=KEY",
            ),
            Call(
                "lambda",
                "PutFunctionConcurrency",
                "limits how many run at once, which also limits what it can cost.",
                "--function-name NAME --reserved-concurrent-executions 5",
            ),
        ),
    ),
    "counter_schema": Lesson(
        "Tables of the visitor counter",
        "The counter makes its own tables: nothing else reaches the database.",
        (
            Call(
                "lambda",
                "Invoke",
                "asks the function to make its tables.",
                "--function-name NAME --payload file://migrate.json answer.json",
            ),
        ),
    ),
    "function_url": Lesson(
        "Address of the visitor counter",
        "An address that answers signed requests alone, that is your distribution's.",
        (
            Call(
                "lambda",
                "CreateFunctionUrlConfig",
                "gives the function an address.",
                "--function-name NAME --auth-type AWS_IAM",
            ),
        ),
    ),
    "function_permission": Lesson(
        "Permission to count",
        "Only your distribution may call the counter.",
        (
            Call(
                "lambda",
                "AddPermission",
                "lets that one distribution call it.",
                "--function-name FUNCTION --statement-id cloudfront --principal "
                "cloudfront.amazonaws.com --action lambda:InvokeFunctionUrl --source-arn ARN",
            ),
        ),
    ),
}
