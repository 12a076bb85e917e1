from db.sqlfile import sql_migration

ID = "execution_graph_0002_langgraph"
forwards = sql_migration(__file__, "0002_langgraph.sql")
