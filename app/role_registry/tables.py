"""Piccolo's view of the room's tables; their DDL is in `db/role_registry/sql`."""

from piccolo.columns import UUID, Boolean, Integer, Text, Timestamptz
from piccolo.columns.column_types import BigInt
from piccolo.table import Table

from app.postgres import ENGINE


class CompanyRow(Table, tablename="companies", schema="role_registry", db=ENGINE):
    id = UUID(primary_key=True, default=None)
    tenant_id = UUID(default=None)
    name = Text()
    time_zone = Text()
    currency = Text()
    language = Text()
    all_paused = Boolean(default=False)
    created_at = Timestamptz(default=None)


class RoleRow(Table, tablename="ai_roles", schema="role_registry", db=ENGINE):
    id = UUID(primary_key=True, default=None)
    tenant_id = UUID(default=None)
    name = Text()
    status = Text(default="proposed")
    version = Integer(default=0)
    pending_approval_id = UUID(null=True, default=None)
    hired_by = Text()
    created_at = Timestamptz(default=None)
    paused_at = Timestamptz(null=True, default=None)
    retired_at = Timestamptz(null=True, default=None)


class RoleVersionRow(Table, tablename="ai_role_versions", schema="role_registry", db=ENGINE):
    id = UUID(primary_key=True, default=None)
    tenant_id = UUID(default=None)
    role_id = UUID(default=None)
    version = Integer()
    terms = Text()
    digest = Text()
    approval_id = UUID(default=None)
    signature = Text()
    signed_by = Text()
    signed_at = Timestamptz(default=None)


class BudgetAccountRow(Table, tablename="budget_accounts", schema="role_registry", db=ENGINE):
    id = UUID(primary_key=True, default=None)
    tenant_id = UUID(default=None)
    role_id = UUID(null=True, default=None)
    unit = Text()
    period = Text()
    currency = Text(default="")
    amount = BigInt()
    active = Boolean(default=True)
    changed_at = Timestamptz(default=None)


class PartyRow(Table, tablename="known_parties", schema="role_registry", db=ENGINE):
    id = UUID(primary_key=True, default=None)
    tenant_id = UUID(default=None)
    name = Text()
    address = Text()
    added_by = Text()
    signature = Text(default="")
    added_at = Timestamptz(default=None)
    removed_at = Timestamptz(null=True, default=None)
