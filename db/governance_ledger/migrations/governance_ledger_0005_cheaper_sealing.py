from db.sqlfile import sql_migration

ID = "governance_ledger_0005_cheaper_sealing"
forwards = sql_migration(__file__, "0010_cheaper_sealing.sql")
