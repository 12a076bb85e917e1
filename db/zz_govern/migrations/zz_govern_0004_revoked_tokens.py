from db.sqlfile import sql_migration

ID = "zz_govern_0004_revoked_tokens"
forwards = sql_migration(__file__, "0005_revoked_tokens.sql")
