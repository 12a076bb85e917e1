from db.sqlfile import sql_migration

ID = "founder_console_0002_channels"
forwards = sql_migration(__file__, "0002_channels.sql")
