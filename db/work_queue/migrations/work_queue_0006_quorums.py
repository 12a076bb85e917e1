from db.sqlfile import sql_migration

ID = "work_queue_0006_quorums"
forwards = sql_migration(__file__, "0008_quorums.sql")
