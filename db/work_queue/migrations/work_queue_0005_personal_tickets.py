from db.sqlfile import sql_migration

ID = "work_queue_0005_personal_tickets"
forwards = sql_migration(__file__, "0007_personal_tickets.sql")
