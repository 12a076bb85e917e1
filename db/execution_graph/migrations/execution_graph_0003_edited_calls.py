from db.sqlfile import sql_migration

ID = "execution_graph_0003_edited_calls"
forwards = sql_migration(__file__, "0003_edited_calls.sql")
