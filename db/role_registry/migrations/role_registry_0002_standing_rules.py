from db.sqlfile import sql_migration

ID = "role_registry_0002_standing_rules"
forwards = sql_migration(__file__, "0002_standing_rules.sql")
