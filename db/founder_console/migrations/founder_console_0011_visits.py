from db.sqlfile import sql_migration

ID = "founder_console_0011_visits"
forwards = sql_migration(__file__, "0011_visits.sql")
