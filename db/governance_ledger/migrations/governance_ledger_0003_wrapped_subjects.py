from db.sqlfile import sql_migration

ID = "governance_ledger_0003_wrapped_subjects"
forwards = sql_migration(__file__, "0009_wrapped_subjects.sql")
