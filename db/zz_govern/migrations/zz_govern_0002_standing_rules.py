from db.sqlfile import sql_migration

ID = "zz_govern_0002_standing_rules"
forwards = sql_migration(__file__, "0003_standing_rules.sql")
