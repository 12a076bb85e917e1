from db.sqlfile import sql_migration

ID = "role_registry_0001_schema"
forwards = sql_migration(__file__, "0001_schema.sql")
