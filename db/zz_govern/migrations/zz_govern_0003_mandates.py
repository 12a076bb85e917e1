from db.sqlfile import sql_migration

ID = "zz_govern_0003_mandates"
forwards = sql_migration(__file__, "0004_mandates.sql")
