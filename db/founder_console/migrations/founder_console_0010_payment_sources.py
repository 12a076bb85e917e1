from db.sqlfile import sql_migration

ID = "founder_console_0010_payment_sources"
forwards = sql_migration(__file__, "0010_payment_sources.sql")
