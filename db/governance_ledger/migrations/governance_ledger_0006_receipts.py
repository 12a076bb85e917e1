from db.sqlfile import sql_migration

ID = "governance_ledger_0006_receipts"
forwards = sql_migration(__file__, "0011_receipts.sql")
