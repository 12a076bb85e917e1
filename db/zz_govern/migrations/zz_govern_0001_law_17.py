from db.sqlfile import sql_migration

ID = "zz_govern_0001_law_17"
forwards = sql_migration(__file__, "0001_govern.sql", "0002_guard.sql")
