from db.sqlfile import sql_migration

ID = "zz_govern_0005_quorums"
forwards = sql_migration(__file__, "0006_quorums.sql")
