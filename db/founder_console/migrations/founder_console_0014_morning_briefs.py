from db.sqlfile import sql_migration

ID = "founder_console_0014_morning_briefs"
forwards = sql_migration(__file__, "0014_morning_briefs.sql")
