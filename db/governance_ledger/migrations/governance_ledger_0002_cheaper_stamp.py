from db.sqlfile import sql_migration

ID = "governance_ledger_0002_cheaper_stamp"
forwards = sql_migration(__file__, "0008_cheaper_stamp.sql")
