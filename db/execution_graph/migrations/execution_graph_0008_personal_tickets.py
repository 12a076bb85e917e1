from db.sqlfile import sql_migration

ID = "execution_graph_0008_personal_tickets"
forwards = sql_migration(__file__, "0008_personal_tickets.sql")
