"""What protects the ledger, read from the database's catalogue and held against what `db/catalogue.txt` pins.

A fact is one line, `name = value`: a role, a grant, a table's row security, a column, a constraint, a policy, a
trigger, a function by the hash of its source, an event trigger. `python -m db.catalogue` writes the pinned file anew.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from functools import lru_cache
from importlib import resources
from typing import TypeAlias

from app.postgres import Connection

Facts: TypeAlias = Mapping[str, str]

ROOMS = ("governance_ledger", "work_queue", "role_registry", "execution_graph", "founder_console", "clock", "guard")
EVENT_TRIGGER = "event trigger "
_SEPARATOR = " = "

# Who administrates is the installation's own: a superuser, the database's owner, or who may make roles.
_FACTS = """
WITH here AS (
  SELECT oid, datdba, datacl FROM pg_database WHERE datname = current_database()
), who AS (
  SELECT oid, CASE WHEN starts_with(rolname, 'flr_') THEN rolname::text
                   WHEN rolsuper OR rolcreaterole OR oid = (SELECT datdba FROM here) THEN 'the administrator'
                   ELSE rolname::text END AS name
    FROM pg_roles
  UNION ALL SELECT 0, 'PUBLIC'
), room AS (
  SELECT oid, nspname::text AS name, nspowner, nspacl FROM pg_namespace WHERE nspname = ANY ($1)
), rel AS (
  SELECT c.*, format('%I.%I', room.name, c.relname) AS name FROM pg_class c JOIN room ON room.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
), fn AS (
  SELECT p.*, p.oid::regprocedure::text AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
   WHERE n.nspname = ANY ($1)
      OR (p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema')
          AND (has_function_privilege('flr_app', p.oid, 'EXECUTE') AND has_schema_privilege('flr_app', n.oid, 'USAGE')
            OR has_function_privilege('flr_sealer', p.oid, 'EXECUTE')
               AND has_schema_privilege('flr_sealer', n.oid, 'USAGE'))
          AND NOT EXISTS (
            SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'))
), given (place, owner, acl) AS (
  SELECT 'schema ' || name, nspowner, coalesce(nspacl, acldefault('n', nspowner)) FROM room
  UNION ALL SELECT 'schema public', nspowner, nspacl FROM pg_namespace WHERE nspname = 'public'
  UNION ALL SELECT 'the database', datdba, coalesce(datacl, acldefault('d', datdba)) FROM here
  UNION ALL SELECT (CASE relkind WHEN 'S' THEN 'sequence ' ELSE 'table ' END) || name, relowner,
                   coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, relowner)) FROM rel
  UNION ALL SELECT 'function ' || name, proowner, coalesce(proacl, acldefault('f', proowner)) FROM fn
  UNION ALL SELECT 'parameter ' || parname, 10, paracl FROM pg_parameter_acl
  UNION ALL SELECT 'new objects of ' || who.name, defaclrole, defaclacl
              FROM pg_default_acl JOIN who ON who.oid = defaclrole
             WHERE starts_with(who.name, 'flr_') OR defaclnamespace IN (SELECT oid FROM room)
), granted AS (
  SELECT place, a.grantee, a.privilege_type || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS what
    FROM given, aclexplode(acl) a WHERE a.grantee <> owner
  UNION ALL
  SELECT 'table ' || rel.name, a.grantee,
         format('%s (%s)', a.privilege_type, string_agg(attname, ', ' ORDER BY attname))
    FROM rel JOIN pg_attribute ON attrelid = rel.oid AND NOT attisdropped, aclexplode(attacl) a
   WHERE a.grantee <> rel.relowner GROUP BY rel.name, a.grantee, a.privilege_type
)
SELECT 'role ' || rolname AS name, concat_ws(', ', CASE WHEN rolcanlogin THEN 'login' ELSE 'no login' END,
         CASE WHEN rolsuper THEN 'superuser' END, CASE WHEN rolbypassrls THEN 'bypassrls' END,
         CASE WHEN rolcreaterole THEN 'createrole' END, CASE WHEN rolcreatedb THEN 'createdb' END,
         CASE WHEN rolreplication THEN 'replication' END, CASE WHEN NOT rolinherit THEN 'no inherit' END) AS value
  FROM pg_roles WHERE starts_with(rolname, 'flr_')
UNION ALL
SELECT format('member %s of %s', m.name, g.name), 'yes'
  FROM pg_auth_members a JOIN who m ON m.oid = a.member JOIN who g ON g.oid = a.roleid
 WHERE (starts_with(g.name, 'flr_') OR starts_with(m.name, 'flr_')) AND m.name <> 'the administrator'
UNION ALL
SELECT format('setting %s of %s', split_part(s, '=', 1), who.name), substr(s, strpos(s, '=') + 1)
  FROM pg_db_role_setting x JOIN who ON who.oid = x.setrole, unnest(setconfig) s
 WHERE starts_with(who.name, 'flr_') AND x.setdatabase IN (0, (SELECT oid FROM here))
UNION ALL
SELECT 'schema ' || room.name, 'owner ' || who.name FROM room JOIN who ON who.oid = nspowner
UNION ALL
SELECT 'grant on ' || place || ' to ' || who.name, string_agg(what, '; ' ORDER BY what)
  FROM granted JOIN who ON who.oid = grantee
 WHERE who.name <> 'the administrator' AND who.name <> 'pg_database_owner'
   AND (place NOT IN ('schema public', 'the database') AND NOT starts_with(place, 'parameter ')
        OR starts_with(who.name, 'flr_') OR who.name = 'PUBLIC')
 GROUP BY place, who.name
UNION ALL
SELECT 'table ' || rel.name, concat_ws(', ', 'owner ' || who.name,
         CASE relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign'
                      WHEN 'p' THEN 'partitioned' END,
         CASE relpersistence WHEN 'u' THEN 'unlogged' END,
         CASE WHEN NOT relrowsecurity THEN 'no row security'
              WHEN relforcerowsecurity THEN 'row security forced' ELSE 'row security not forced' END)
  FROM rel JOIN who ON who.oid = relowner WHERE relkind <> 'S'
UNION ALL
SELECT format('column %s.%I', rel.name, attname), concat_ws(', ', format_type(atttypid, atttypmod),
         CASE WHEN attnotnull THEN 'not null' END,
         CASE attidentity WHEN 'a' THEN 'identity always' WHEN 'd' THEN 'identity' END,
         CASE WHEN attgenerated <> '' THEN 'generated' END, 'default ' || pg_get_expr(adbin, adrelid))
  FROM rel JOIN pg_attribute ON attrelid = rel.oid AND attnum > 0 AND NOT attisdropped
  LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE relkind <> 'S'
UNION ALL
SELECT format('constraint %I on %s', conname, rel.name),
       pg_get_constraintdef(k.oid) || CASE WHEN convalidated THEN '' ELSE ', not validated' END
  FROM rel JOIN pg_constraint k ON conrelid = rel.oid WHERE contype NOT IN ('t', 'n')
UNION ALL
SELECT 'unique index ' || indexrelid::regclass,
       pg_get_indexdef(indexrelid) || CASE WHEN indisvalid THEN '' ELSE ', not valid' END
  FROM rel JOIN pg_index ON indrelid = rel.oid
 WHERE indisunique AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x'))
UNION ALL
SELECT format('policy %I on %s', polname, rel.name), concat_ws(', ',
         CASE polcmd WHEN '*' THEN 'all' WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update'
                     ELSE 'delete' END,
         CASE WHEN polpermissive THEN 'permissive' ELSE 'restrictive' END,
         'to ' || (SELECT string_agg(who.name, ' ' ORDER BY who.name) FROM who WHERE who.oid = ANY (polroles)),
         'using ' || pg_get_expr(polqual, polrelid), 'check ' || pg_get_expr(polwithcheck, polrelid))
  FROM rel JOIN pg_policy ON polrelid = rel.oid
UNION ALL
SELECT format('trigger %I on %s', tgname, rel.name), concat_ws(', ',
         CASE tgenabled WHEN 'A' THEN 'always' WHEN 'O' THEN 'enabled' WHEN 'R' THEN 'replica only' ELSE 'disabled' END,
         pg_get_triggerdef(t.oid))
  FROM rel JOIN pg_trigger t ON tgrelid = rel.oid WHERE NOT tgisinternal
UNION ALL
SELECT format('foreign key %I on %s', conname, rel.name), 'its triggers are disabled'
  FROM rel JOIN pg_trigger t ON tgrelid = rel.oid JOIN pg_constraint k ON k.oid = tgconstraint
 WHERE tgisinternal AND tgenabled IN ('D', 'R') GROUP BY conname, rel.name
UNION ALL
SELECT format('rule %I on %s', rulename, rel.name), pg_get_ruledef(w.oid)
  FROM rel JOIN pg_rewrite w ON ev_class = rel.oid WHERE rulename <> '_RETURN'
UNION ALL
SELECT format('inheritance of %s from %s', inhrelid::regclass, inhparent::regclass), 'yes'
  FROM pg_inherits WHERE inhparent IN (SELECT oid FROM rel) OR inhrelid IN (SELECT oid FROM rel)
UNION ALL
SELECT 'function ' || fn.name, concat_ws(', ', 'owner ' || who.name, lanname,
         CASE provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' END,
         CASE WHEN prosecdef THEN 'security definer' END,
         (SELECT string_agg(c, ', ' ORDER BY c) FROM unnest(proconfig) c),
         'source ' || CASE
           WHEN prokind = 'a' THEN (SELECT aggtransfn::regprocedure::text FROM pg_aggregate WHERE aggfnoid = fn.oid)
           ELSE encode(sha256(convert_to(coalesce(
             regexp_replace(pg_get_function_sqlbody(fn.oid), '\\s+', ' ', 'g'),
             prosrc || coalesce(probin, '')), 'UTF8')), 'hex') END)
  FROM fn JOIN who ON who.oid = proowner JOIN pg_language l ON l.oid = prolang
UNION ALL
SELECT 'event trigger ' || evtname, concat_ws(', ',
         CASE evtenabled WHEN 'A' THEN 'always' WHEN 'O' THEN 'enabled' WHEN 'R' THEN 'replica only'
                         ELSE 'disabled' END,
         evtevent, evtfoid::regprocedure::text, array_to_string(evttags, ' '))
  FROM pg_event_trigger WHERE starts_with(evtname, 'flr_')
"""

# Event triggers are made by a superuser only, who then owns their functions: where none migrated, there are none.
_GUARD_POSSIBLE = """
SELECT coalesce(bool_or(rolsuper), false) FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
 WHERE p.pronamespace = to_regnamespace('guard') AND p.proname = 'refuse_ddl'
"""


async def read_catalogue(connection: Connection) -> dict[str, str]:
    """The live facts by name. Any role may ask, inside a transaction or outside of one."""
    async with nullcontext() if connection.is_in_transaction() else connection.transaction():
        before = await connection.fetchval("SELECT current_setting('search_path')")
        await connection.execute("SET LOCAL search_path = pg_catalog, pg_temp")
        rows = await connection.fetch(_FACTS, list(ROOMS))
        await connection.execute("SELECT set_config('search_path', $1, true)", before)
    return {row["name"]: row["value"] for row in rows}


@lru_cache(maxsize=1)
def pinned_catalogue() -> Facts:
    """The facts of `db/catalogue.txt`."""
    text = resources.files("db").joinpath("catalogue.txt").read_text(encoding="utf-8")
    return parse(text)


def parse(text: str) -> dict[str, str]:
    """Facts from their lines; those that begin with `#` say something to the reader."""
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return dict(line.split(_SEPARATOR, 1) for line in lines)


def write(facts: Facts) -> str:
    """The lines of facts, sorted."""
    return "".join(f"{name}{_SEPARATOR}{facts[name]}\n" for name in sorted(facts))


async def compare_catalogue(connection: Connection) -> tuple[str, ...]:
    """What the live catalogue has otherwise than pinned, one sentence for each object, sorted; empty when it agrees.

    Event triggers may be missing where the migrating role was no superuser.
    """
    live = await read_catalogue(connection)
    guarded = await connection.fetchval(_GUARD_POSSIBLE)
    pinned = {name: said for name, said in pinned_catalogue().items() if guarded or not name.startswith(EVENT_TRIGGER)}
    names = sorted(pinned.keys() | live.keys())
    return tuple(
        _difference(name, pinned.get(name), live.get(name)) for name in names if pinned.get(name) != live.get(name)
    )


def _difference(name: str, pinned: str | None, live: str | None) -> str:
    if live is None:
        return f"{name} is missing: {pinned}"
    if pinned is None:
        return f"{name} is not pinned: {live}"
    return f"{name} is {live}; pinned is {pinned}"
