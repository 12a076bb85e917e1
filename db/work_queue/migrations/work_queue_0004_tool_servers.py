from db.sqlfile import sql_migration

ID = "work_queue_0004_tool_servers"
forwards = sql_migration(__file__, "0006_tool_servers.sql")
