"""The role registry: the company, its AI employees, their signed contracts, budgets and known parties.

Tables owned (schema `role_registry`): companies, ai_roles, ai_role_versions, budget_accounts, budget_usage,
budget_reservations, known_parties.

Invariants:
- every function runs in the caller's transaction and records its event in it;
- a contract is in force only with a founder's signature over exactly its terms; versions are never changed;
- what tightens (pause, retire, remove a party) takes effect at once, what loosens waits for the founder's key;
- reserved plus spent never exceeds a limit, whatever runs at the same time; a missing limit means none.
"""

from app.role_registry.budgets import budgets_of, money_left, release, reserve, settle, spend
from app.role_registry.companies import change_company, company, create_company, pause_all, resume_all
from app.role_registry.consumers import on_approval_decided, sweep_approvals
from app.role_registry.errors import NotInForce, RoleUnknown
from app.role_registry.evaluation import evaluation_of
from app.role_registry.hiring import amend, ask_budget_raise, hire
from app.role_registry.model import (
    BudgetState,
    Company,
    CompanyPatch,
    Evaluation,
    Metric,
    Party,
    Reserved,
    Role,
    RoleVersion,
    Short,
    TermsPatch,
    Want,
)
from app.role_registry.parties import add_party, known_parties, remove_party
from app.role_registry.roles import (
    active_roles,
    contract_in_force,
    get_role,
    list_roles,
    pause,
    resume,
    retire,
    versions_of,
)

__all__ = [
    "BudgetState",
    "Company",
    "CompanyPatch",
    "Evaluation",
    "Metric",
    "NotInForce",
    "Party",
    "Reserved",
    "Role",
    "RoleUnknown",
    "RoleVersion",
    "Short",
    "TermsPatch",
    "Want",
    "active_roles",
    "add_party",
    "amend",
    "ask_budget_raise",
    "budgets_of",
    "change_company",
    "company",
    "contract_in_force",
    "create_company",
    "evaluation_of",
    "get_role",
    "hire",
    "known_parties",
    "list_roles",
    "money_left",
    "on_approval_decided",
    "pause",
    "pause_all",
    "release",
    "remove_party",
    "reserve",
    "resume",
    "resume_all",
    "retire",
    "settle",
    "spend",
    "sweep_approvals",
    "versions_of",
]
