"""The Founder Console: what waits, decisions with the founder's own key, workers, money, and the day's brief.

Tables owned (schema `founder_console`): founders, enrolments, passkeys, device_keys, recovery_codes, sessions,
challenges, push_subscriptions, push_receipts, used_action_tokens, telegram_codes, telegram_chats, webhooks, notices,
held_rings, payment_sources, payment_deliveries, visits, revoked_tokens, tallies, tally_marks.

Invariants:
- a session says who, a token or form from our own origin says what; R2 also needs the founder's key over what is shown;
- nonces, links, recovery codes and notification buttons are used once;
- what is kept of a secret is its hash; nothing on a lock screen names a customer;
- a payment that its provider tells of twice is recorded once; a test never is;
- no sentence of the brief stands without the ledger events that it was counted from;
- what is counted of the ledger is kept as a reading of it: deleted, it is counted anew;
- pages work without script; script never renders what the server did not send.
"""

from app.founder_console.channels.senders import Senders
from app.founder_console.channels.waking import Briefer
from app.founder_console.consumers import handlers
from app.founder_console.desk import Desk
from app.founder_console.identity.device_keys import register_device_key
from app.founder_console.identity.enrolment import create_enrolment, create_founder
from app.founder_console.identity.proofs import ProofBook
from app.founder_console.identity.revoking import Revocations
from app.founder_console.identity.sessions import principal_of_cookie
from app.founder_console.keyfiles import ensure_console_keys
from app.founder_console.listening import Hook, Listener
from app.founder_console.model import Founder
from app.founder_console.stream import Hub
from app.founder_console.tallies import Counter
from app.founder_console.wording import load_words

__all__ = [
    "Briefer",
    "Counter",
    "Desk",
    "Founder",
    "Hook",
    "Hub",
    "Listener",
    "ProofBook",
    "Revocations",
    "Senders",
    "create_enrolment",
    "create_founder",
    "ensure_console_keys",
    "handlers",
    "load_words",
    "principal_of_cookie",
    "register_device_key",
]
