from db.sqlfile import sql_migration

ID = "foundation_0001_ground"
forwards = sql_migration(__file__, "0001_roles.sql", "0002_database.sql", "0003_clock.sql")
