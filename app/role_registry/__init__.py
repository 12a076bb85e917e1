"""The role registry: the company, its AI employees, their signed contracts, budgets and known parties.

Tables owned (schema `role_registry`): companies, ai_roles, ai_role_versions, budget_accounts, budget_usage,
budget_reservations, known_parties, standing_rules, secrets, secret_values, tool_servers.

Invariants:
- every function runs in the caller's transaction and records its event in it;
- a contract is in force only with a founder's signature over exactly its terms; versions are never changed;
- what tightens (pause, retire, remove a party) takes effect at once, what loosens waits for the founder's key;
- reserved plus spent never exceeds a limit, whatever runs at the same time; a missing limit means none.
"""

from app.role_registry.budgets import budgets_of, limited_units, money_left, release, reserve, settle, spend
from app.role_registry.companies import change_company, company, create_company, pause_all, resume_all
from app.role_registry.consumers import on_approval_decided, sweep_approvals
from app.role_registry.errors import NotInForce, RoleUnknown, StepSettled
from app.role_registry.evaluation import evaluation_of
from app.role_registry.hiring import amend, ask_budget_raise, hire
from app.role_registry.model import (
    BudgetState,
    Company,
    CompanyPatch,
    Evaluation,
    Metric,
    NewSecret,
    Party,
    Reserved,
    Role,
    RoleVersion,
    Secret,
    Short,
    SignedServer,
    TermsPatch,
    Want,
)
from app.role_registry.parties import add_party, known_parties, remove_party
from app.role_registry.precedents import (
    Difference,
    Precedents,
    RuleBacktest,
    backtest_rule,
    earlier,
    precedents_of,
    suggested,
)
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
from app.role_registry.rule_store import StandingRule
from app.role_registry.rules import NewRule, RuleSpent, propose_rule, revoke_rule, rule_for, rules_of, use_rule
from app.role_registry.server_words import secrets_of
from app.role_registry.servers import (
    check_place,
    propose_server,
    quarantine_tool,
    remove_server,
    tool_servers,
    why_barred,
    with_server_tools,
)
from app.role_registry.signed import contract_is_signed, rule_is_signed, signed_parties, signed_servers
from app.role_registry.vault import (
    VaultKeys,
    ensure_vault_key,
    list_secrets,
    open_secret,
    remove_secret,
    secret_headers,
    set_secret,
    vault_keys,
)

__all__ = [
    "BudgetState",
    "Company",
    "CompanyPatch",
    "Difference",
    "Evaluation",
    "Metric",
    "NewRule",
    "NewSecret",
    "NotInForce",
    "Party",
    "Precedents",
    "Reserved",
    "Role",
    "RoleUnknown",
    "RoleVersion",
    "RuleBacktest",
    "RuleSpent",
    "Secret",
    "Short",
    "SignedServer",
    "StandingRule",
    "StepSettled",
    "TermsPatch",
    "VaultKeys",
    "Want",
    "active_roles",
    "add_party",
    "amend",
    "ask_budget_raise",
    "backtest_rule",
    "budgets_of",
    "change_company",
    "check_place",
    "company",
    "contract_in_force",
    "contract_is_signed",
    "create_company",
    "earlier",
    "ensure_vault_key",
    "evaluation_of",
    "get_role",
    "hire",
    "known_parties",
    "limited_units",
    "list_roles",
    "list_secrets",
    "money_left",
    "on_approval_decided",
    "open_secret",
    "pause",
    "pause_all",
    "precedents_of",
    "propose_rule",
    "propose_server",
    "quarantine_tool",
    "release",
    "remove_party",
    "remove_secret",
    "remove_server",
    "reserve",
    "resume",
    "resume_all",
    "retire",
    "revoke_rule",
    "rule_for",
    "rule_is_signed",
    "rules_of",
    "secret_headers",
    "secrets_of",
    "set_secret",
    "settle",
    "signed_parties",
    "signed_servers",
    "spend",
    "suggested",
    "sweep_approvals",
    "tool_servers",
    "use_rule",
    "vault_keys",
    "versions_of",
    "why_barred",
    "with_server_tools",
]
