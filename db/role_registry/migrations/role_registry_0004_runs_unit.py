from db.sqlfile import sql_migration

ID = "role_registry_0004_runs_unit"
forwards = sql_migration(__file__, "0004_runs_unit.sql")
