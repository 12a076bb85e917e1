from db.sqlfile import sql_migration

ID = "founder_console_0012_revoked_tokens"
forwards = sql_migration(__file__, "0012_revoked_tokens.sql")
