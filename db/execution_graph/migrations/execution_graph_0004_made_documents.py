from db.sqlfile import sql_migration

ID = "execution_graph_0004_made_documents"
forwards = sql_migration(__file__, "0004_made_documents.sql")
