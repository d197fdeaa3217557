from sites.models.account import Account
from sites.models.audit import AuditEntry
from sites.models.domain import Domain
from sites.models.operation import Operation, OperationEvent
from sites.models.operation_try import OperationTry
from sites.models.people import Invitation, Membership, Role, Team
from sites.models.resource import Resource
from sites.models.site import Site
from sites.models.visits import (
    ImportedDay,
    Kind,
    OverallDay,
    VisitCount,
    VisitCursor,
    VisitDay,
    VisitImport,
)

__all__ = [
    "Account",
    "AuditEntry",
    "Domain",
    "ImportedDay",
    "Invitation",
    "Kind",
    "Membership",
    "Operation",
    "OperationEvent",
    "OperationTry",
    "OverallDay",
    "Resource",
    "Role",
    "Site",
    "Team",
    "VisitCount",
    "VisitCursor",
    "VisitDay",
    "VisitImport",
]
