from db.sqlfile import sql_migration

ID = "work_queue_0008_ticket_lists"
forwards = sql_migration(__file__, "0009_ticket_lists.sql")
