from db.sqlfile import sql_migration

ID = "governance_ledger_0001_schema"
forwards = sql_migration(
    __file__,
    "0001_tables.sql",
    "0002_law.sql",
    "0003_sealing.sql",
    "0004_rights.sql",
    "0005_proofs.sql",
    "0006_subjects.sql",
    "0007_attestations.sql",
)
