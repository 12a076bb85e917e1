from db.sqlfile import sql_migration

ID = "founder_console_0013_tallies"
forwards = sql_migration(__file__, "0013_tallies.sql")
