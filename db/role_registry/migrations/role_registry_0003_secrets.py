from db.sqlfile import sql_migration

ID = "role_registry_0003_secrets"
forwards = sql_migration(__file__, "0003_secrets.sql")
