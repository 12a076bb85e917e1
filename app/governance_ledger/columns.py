"""Holding an event's columns against its document. They stand outside the hash: one that differs was altered.

Twice, since the sure way costs four times as much: the database tells the columns in a form that is fast to make, and
`agree` builds from it how the document must begin and end. What it cannot vouch for is a doubt, which `altered_from`
settles in the database.
"""

from app.postgres import Transaction

# No field can hold the character between them: they are numbers, hashes, and JSON, which escapes it. A field that is
# null without leave leaves one field too few. Null as a whole where a seal's columns are not those of its event.
TOLD = """
CASE WHEN (s.occurred_at, s.type) = (e.occurred_at, e.type)
       AND s.ticket_id IS NOT DISTINCT FROM e.ticket_id AND s.run_id IS NOT DISTINCT FROM e.run_id
       AND e.evidence_sha256 IS NOT DISTINCT FROM right(e.evidence_url, 64)
  THEN concat_ws(E'\\x01', to_json(e.recorded_at AT TIME ZONE 'UTC'), to_json(e.actor),
         coalesce(to_json(e.approval_signature)::text, 'null'), to_json(e.occurred_at AT TIME ZONE 'UTC'),
         coalesce(to_json(e.run_id)::text, 'null'), coalesce(e.step::text, 'null'),
         coalesce(to_json(e.ticket_id)::text, 'null'), to_json(e.type), encode(e.effect_digest, 'hex'), e.effect_n,
         e.event_id, e.n, CASE WHEN e.subjects = '{}' THEN '[]' ELSE array_to_json(e.subjects)::text END,
         e.tenant_id, e.xid, coalesce(to_json(e.evidence_url)::text, 'null'))
END
"""

# The document's text is laid out in a fixed order, so each column is found again at its start or its end, without
# parsing it. The tail holds the event's own n and xid, which whoever writes `data` cannot know: it stands nowhere else.
_ALTERED_FROM = """
SELECT min(s.seq)
  FROM governance_ledger.ledger_seals s
  JOIN governance_ledger.governance_events e ON e.xid = s.xid AND e.n = s.n AND e.tenant_id = s.tenant_id
 WHERE s.tenant_id = $1 AND s.seq >= $2 AND s.seq <= $3
   AND (starts_with(e.body, format('{"at":"%s","body":{"actor":%s,"approval":%s,"data":',
         to_char(e.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
         to_json(e.actor), coalesce(to_json(e.approval_signature), 'null')))
       AND strpos(e.body, format(
         '%s,"occurred_at":"%s","run_id":%s,"step":%s,"ticket_id":%s,"type":%s},"effect":{"digest":"%s","n":"%s"},'
         '"id":"%s","n":"%s","subjects":%s,"tenant":"%s","v":"1","xid":"%s"}',
         CASE WHEN e.evidence_url IS NULL THEN ',"evidence":[]' END,
         to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
         coalesce('"' || e.run_id || '"', 'null'), coalesce(e.step::text, 'null'),
         coalesce('"' || e.ticket_id || '"', 'null'), to_json(e.type), encode(e.effect_digest, 'hex'), e.effect_n,
         e.event_id, e.n, CASE WHEN e.subjects = '{}' THEN '[]' ELSE array_to_json(e.subjects)::text END,
         e.tenant_id, e.xid)) > 0
       AND (e.evidence_url IS NULL
         OR strpos(e.body, concat('"evidence":[{"key":', to_json(e.evidence_url), ',')) > 0)
       AND e.evidence_sha256 IS NOT DISTINCT FROM right(e.evidence_url, 64)
       AND (s.occurred_at, s.type) = (e.occurred_at, e.type)
       AND s.ticket_id IS NOT DISTINCT FROM e.ticket_id AND s.run_id IS NOT DISTINCT FROM e.run_id) IS NOT TRUE
"""
_FIELDS = 16
_INSTANT = len('"2026-03-01T12:00:00.123456"')


def agree(told: str | None, document: bytes) -> bool:
    """Whether the document says what the columns say. False says no more than that it is not plain to see."""
    fields = told.split("\x01") if told is not None else []
    if len(fields) != _FIELDS:
        return False
    (
        at,
        actor,
        approval,
        occurred,
        run,
        step,
        ticket,
        kind,
        digest,
        effect_n,
        event_id,
        n,
        subjects,
        tenant,
        xid,
        url,
    ) = fields
    head = f'{{"at":{_digits(at)}Z","body":{{"actor":{actor},"approval":{approval},"data":'
    tail = (
        f',"occurred_at":{_digits(occurred)}Z","run_id":{run},"step":{step},"ticket_id":{ticket},"type":{kind}}},'
        f'"effect":{{"digest":"{digest}","n":"{effect_n}"}},"id":"{event_id}","n":"{n}","subjects":{subjects},'
        f'"tenant":"{tenant}","v":"1","xid":"{xid}"}}'
    )
    if url == "null":
        tail = f',"evidence":[]{tail}'
    elif f'"evidence":[{{"key":{url},'.encode() not in document:
        return False
    return document.startswith(head.encode()) and document.endswith(tail.encode())


def _digits(instant: str) -> str:
    """An instant from JSON, without its last quote, and with the noughts at its end that PostgreSQL leaves away."""
    text = instant[:-1]
    if len(instant) == _INSTANT:
        return text
    return (text if "." in text else f"{text}.").ljust(_INSTANT - 1, "0")


async def altered_from(tx: Transaction, first: int, last: int) -> int | None:
    """The first of these numbers whose event has a column that differs from its document."""
    found: int | None = await tx.connection.fetchval(_ALTERED_FROM, tx.tenant, first, last)
    return found
