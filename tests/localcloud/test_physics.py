"""The rules that MiniStack leaves out, seen through boto3."""

from __future__ import annotations

import uuid

import psycopg
import pytest

from cloudadmin.aws import ClientError, error_code


def request_certificate(clients, domain: str, **more):
    return clients.acm.request_certificate(DomainName=domain, ValidationMethod="DNS", **more)[
        "CertificateArn"
    ]


def validate(clients, domain: str, arn: str) -> None:
    """Writes the validation records of the certificate into a zone of the domain."""
    zone = clients.route53.create_hosted_zone(Name=domain, CallerReference=str(uuid.uuid4()))
    options = clients.acm.describe_certificate(CertificateArn=arn)["Certificate"][
        "DomainValidationOptions"
    ]
    records = {option["ResourceRecord"]["Name"]: option["ResourceRecord"] for option in options}
    clients.route53.change_resource_record_sets(
        HostedZoneId=zone["HostedZone"]["Id"],
        ChangeBatch={
            "Changes": [
                {
                    "Action": "UPSERT",
                    "ResourceRecordSet": {
                        "Name": record["Name"],
                        "Type": "CNAME",
                        "TTL": 60,
                        "ResourceRecords": [{"Value": record["Value"]}],
                    },
                }
                for record in records.values()
            ]
        },
    )


@pytest.fixture
def domain() -> str:
    return f"{uuid.uuid4().hex[:12]}.example"


def test_a_certificate_waits_for_its_records(local_cloud, domain):
    clients = local_cloud.clients
    arn = request_certificate(clients, domain, SubjectAlternativeNames=[f"www.{domain}"])
    pending = clients.acm.describe_certificate(CertificateArn=arn)["Certificate"]
    assert pending["Status"] == "PENDING_VALIDATION"
    assert {o["ValidationStatus"] for o in pending["DomainValidationOptions"]} == {
        "PENDING_VALIDATION"
    }
    assert "IssuedAt" not in pending
    record = pending["DomainValidationOptions"][0]["ResourceRecord"]
    assert record["Name"].endswith(f".{domain}.")
    assert record["Value"].endswith(".acm-validations.aws.")

    validate(clients, domain, arn)
    issued = clients.acm.describe_certificate(CertificateArn=arn)["Certificate"]
    assert issued["Status"] == "ISSUED"
    assert issued["IssuedAt"]
    listed = clients.acm.list_certificates(CertificateStatuses=["ISSUED"])
    assert arn in [each["CertificateArn"] for each in listed["CertificateSummaryList"]]


def test_the_same_name_has_the_same_record_each_time(local_cloud, domain):
    clients = local_cloud.clients
    arns = [request_certificate(clients, name) for name in (domain, domain, f"*.{domain}")]
    records = [
        clients.acm.describe_certificate(CertificateArn=arn)["Certificate"][
            "DomainValidationOptions"
        ][0]["ResourceRecord"]
        for arn in arns
    ]
    assert arns[0] != arns[1]
    assert records[0] == records[1] == records[2]


def test_an_idempotency_token_is_honoured(local_cloud, domain):
    clients = local_cloud.clients
    first, again = (request_certificate(clients, domain, IdempotencyToken="once") for _ in range(2))
    assert first == again
    assert request_certificate(clients, f"other.{domain}", IdempotencyToken="once") != first


def aliases(website, names: list[str], certificate: str) -> dict:
    viewer = {
        "ACMCertificateArn": certificate,
        "SSLSupportMethod": "sni-only",
        "MinimumProtocolVersion": "TLSv1.2_2021",
    }
    return {
        "Aliases": {"Quantity": len(names), "Items": names},
        **({"ViewerCertificate": viewer} if certificate else {}),
    }


def test_an_alias_needs_an_issued_certificate_that_covers_it(website, domain):
    clients = website.cloud.clients
    website.create()
    website.put("index.html", b"hello")
    arn = request_certificate(clients, domain)
    for certificate in ("", arn):
        with pytest.raises(ClientError) as refused:
            website.update(**aliases(website, [domain], certificate))
        assert error_code(refused.value) == "InvalidViewerCertificate"
    validate(clients, domain, arn)
    with pytest.raises(ClientError) as refused:
        website.update(**aliases(website, [f"www.{domain}"], arn))
    assert error_code(refused.value) == "InvalidViewerCertificate"

    website.update(**aliases(website, [domain], arn))
    assert website.cloud.get(domain, "/index.html").text == "hello"
    assert website.cloud.get(f"{domain}.localhost", "/index.html").text == "hello"

    certificate = clients.acm.describe_certificate(CertificateArn=arn)["Certificate"]
    assert certificate["InUseBy"] == [website.arn]
    with pytest.raises(ClientError) as refused:
        clients.acm.delete_certificate(CertificateArn=arn)
    assert error_code(refused.value) == "ResourceInUseException"


def test_an_alias_has_one_owner(website, domain):
    clients = website.cloud.clients
    arn = request_certificate(clients, domain)
    validate(clients, domain, arn)
    website.create(**aliases(website, [domain], arn))
    with pytest.raises(ClientError) as refused:
        clients.cloudfront.create_distribution(
            DistributionConfig={
                **website.config(**aliases(website, [domain], arn)),
                "CallerReference": "another",
            }
        )
    assert error_code(refused.value) == "CNAMEAlreadyExists"
    website.update(**aliases(website, [domain], arn))  # its own alias is no conflict


def test_a_bucket_policy_is_json(website):
    website.create()
    with pytest.raises(ClientError) as refused:
        website.cloud.clients.s3.put_bucket_policy(Bucket=website.bucket, Policy="{not json")
    assert error_code(refused.value) == "MalformedPolicy"


def create_instance(clients, name: str, database: str, **more):
    return clients.rds.create_db_instance(
        DBInstanceIdentifier=name,
        DBName=database,
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        MasterUsername='coun"ter',
        **{"MasterUserPassword": "secret-'word", **more},
    )["DBInstance"]


def connect(clients, name: str, database: str) -> psycopg.Connection:
    found = clients.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
    return psycopg.connect(
        host=found["Endpoint"]["Address"],
        port=found["Endpoint"]["Port"],
        user='coun"ter',
        password="secret-'word",
        dbname=database,
    )


def test_a_db_instance_is_a_database(local_cloud):
    clients = local_cloud.clients
    name = f"db-{uuid.uuid4().hex[:8]}"
    create_instance(clients, name, name, DeletionProtection=True)
    with connect(clients, name, name) as connection:
        connection.execute("CREATE TABLE hits (n int)")

    with pytest.raises(ClientError) as refused:
        create_instance(clients, f"{name}-2", name)
    assert "Choose another DBName" in str(refused.value)

    with pytest.raises(ClientError):
        clients.rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    connect(clients, name, name).close()

    clients.rds.modify_db_instance(DBInstanceIdentifier=name, DeletionProtection=False)
    clients.rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    create_instance(clients, f"{name}-2", name)
    connect(clients, f"{name}-2", name).close()
    clients.rds.delete_db_instance(DBInstanceIdentifier=f"{name}-2", SkipFinalSnapshot=True)


def test_a_database_of_others_is_left_alone(local_cloud):
    with pytest.raises(ClientError) as refused:
        create_instance(local_cloud.clients, "greedy", "postgres")
    assert error_code(refused.value) == "InvalidParameterValue"


@pytest.mark.parametrize(
    "password", ["short-7", "has a space", "at@sign-in", "x" * 129, "pässword"]
)
def test_a_master_password_has_rules(local_cloud, password):
    name = f"db-{uuid.uuid4().hex[:8]}"
    with pytest.raises(ClientError) as refused:
        create_instance(local_cloud.clients, name, name, MasterUserPassword=password)
    assert error_code(refused.value) == "InvalidParameterValue"
    assert "MasterUserPassword" in str(refused.value)
