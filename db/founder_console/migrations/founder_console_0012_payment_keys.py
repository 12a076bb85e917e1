from db.sqlfile import sql_migration

ID = "founder_console_0012_payment_keys"
forwards = sql_migration(__file__, "0012_payment_keys.sql")
