"""A PostgreSQL of our own: the packaged binaries, our own initdb, one foreground child, a socket and no port.

Authentication is trust, which is safe only because the socket's folder is 0700: whoever runs as that user is superuser,
so nothing an agent steers may run as that user. One process at a time serves a home; it holds `serving.pid`.
"""

from app.own_postgres.child import OwnPostgres, create_database, die_with_parent, is_running, running
from app.own_postgres.failures import AlreadyServed, DatabaseUnusable
from app.own_postgres.place import DATABASE, url

__all__ = [
    "DATABASE",
    "AlreadyServed",
    "DatabaseUnusable",
    "OwnPostgres",
    "create_database",
    "die_with_parent",
    "is_running",
    "running",
    "url",
]
