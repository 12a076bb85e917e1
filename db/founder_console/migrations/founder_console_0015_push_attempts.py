from db.sqlfile import sql_migration

ID = "founder_console_0015_push_attempts"
forwards = sql_migration(__file__, "0015_push_attempts.sql")
