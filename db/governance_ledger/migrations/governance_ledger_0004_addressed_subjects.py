from db.sqlfile import sql_migration

ID = "governance_ledger_0004_addressed_subjects"
forwards = sql_migration(__file__, "0010_addressed_subjects.sql")
