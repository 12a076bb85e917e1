"""The work queue: tickets, approvals of every kind, and the delivery of messages between rooms.

Tables owned (schema `work_queue`): tickets, ticket_inputs, approvals, approval_decisions, mandates, quorums,
idempotency_keys, deliveries, and the queue's own.

Invariants:
- every function runs in the caller's transaction and records its event in it;
- a ticket and an approval move only along `model.TICKET_MOVES` and `model.APPROVAL_MOVES`;
- one use case, `decide`, stands behind every approve and reject; nothing is acted upon before the undo window ends;
- a deputy decides within a mandate that a founder has signed;
- what nobody decided is expired, never rejected; what is paused neither expires nor acts;
- a message is published in the transaction that gives cause for it, and delivered at least once.
"""

import app.work_queue.delivery as delivery
from app.governance_ledger import Page
from app.work_queue.agreeing import company_quorum, deciders
from app.work_queue.approvals import (
    consume,
    expire,
    get_approval,
    get_approvals,
    list_approvals,
    mark_opened,
    mark_shown,
    pending_alike,
    pending_of_ticket,
    raise_approval,
    rejected_before,
    votes_of,
    withdraw,
)
from app.work_queue.batches import Wanted, decide_list, offer_list
from app.work_queue.bounds import check_reach, has_say, keep_pace
from app.work_queue.deciding import decide, hold_open, offer, prove
from app.work_queue.delivery import Handler, publish
from app.work_queue.errors import (
    ApprovalClosed,
    ApprovalStale,
    ApprovalUnusable,
    BeyondMandate,
    NotErasable,
    ProofMismatch,
    ProofRequired,
    TooManyDecisions,
)
from app.work_queue.freezing import expire_due, freeze, tenants_with_due_approvals, thaw
from app.work_queue.mandates import end_mandate, grant_mandate, list_mandates, mandate_of, propose_mandate
from app.work_queue.model import (
    CLOSED,
    CONTRACTS,
    Approval,
    ApprovalKind,
    ApprovalStatus,
    GrantedMandate,
    NewApproval,
    NewTicket,
    Ticket,
    TicketInput,
    TicketPatch,
    TicketStatus,
    Vote,
)
from app.work_queue.personal import append_of, blank_tickets, erasable, recipient_of_ticket, unnamed
from app.work_queue.quorums import QuorumTooLarge, check_enough, propose_quorum, set_quorum, too_few_without
from app.work_queue.signed import approved
from app.work_queue.tickets import (
    MAX_INPUT_BYTES,
    ancestors_of,
    attach_input,
    get_ticket,
    inputs_of,
    is_closed,
    list_due,
    list_tickets,
    move_ticket,
    open_ticket,
    patch_ticket,
)
from app.work_queue.undoing import undo

__all__ = [
    "CLOSED",
    "CONTRACTS",
    "MAX_INPUT_BYTES",
    "Approval",
    "ApprovalClosed",
    "ApprovalKind",
    "ApprovalStale",
    "ApprovalStatus",
    "ApprovalUnusable",
    "BeyondMandate",
    "GrantedMandate",
    "Handler",
    "NewApproval",
    "NewTicket",
    "NotErasable",
    "Page",
    "ProofMismatch",
    "ProofRequired",
    "QuorumTooLarge",
    "Ticket",
    "TicketInput",
    "TicketPatch",
    "TicketStatus",
    "TooManyDecisions",
    "Vote",
    "Wanted",
    "ancestors_of",
    "append_of",
    "approved",
    "attach_input",
    "blank_tickets",
    "check_enough",
    "check_reach",
    "company_quorum",
    "consume",
    "decide",
    "decide_list",
    "deciders",
    "delivery",
    "end_mandate",
    "erasable",
    "expire",
    "expire_due",
    "freeze",
    "get_approval",
    "get_approvals",
    "get_ticket",
    "grant_mandate",
    "has_say",
    "hold_open",
    "inputs_of",
    "is_closed",
    "keep_pace",
    "list_approvals",
    "list_due",
    "list_mandates",
    "list_tickets",
    "mandate_of",
    "mark_opened",
    "mark_shown",
    "move_ticket",
    "offer",
    "offer_list",
    "open_ticket",
    "patch_ticket",
    "pending_alike",
    "pending_of_ticket",
    "propose_mandate",
    "propose_quorum",
    "prove",
    "publish",
    "raise_approval",
    "recipient_of_ticket",
    "rejected_before",
    "set_quorum",
    "tenants_with_due_approvals",
    "thaw",
    "too_few_without",
    "undo",
    "unnamed",
    "votes_of",
    "withdraw",
]
