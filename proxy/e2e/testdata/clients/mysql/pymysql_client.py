"""PyMySQL: literals in the text, an unbuffered cursor, several statements, KILL by its own number."""
import pymysql
import pymysql.cursors
from observe import *
from pymysql.constants import CLIENT


def connect(user, password):
    return pymysql.connect(host=HOST, port=PORT, database=DATABASE, user=user, password=password, charset="utf8mb4", autocommit=True,
                           ssl={"ca": CA, "check_hostname": True}, client_flag=CLIENT.MULTI_STATEMENTS)


def stream(conn, sql):
    with conn.cursor(pymysql.cursors.SSCursor) as cur:
        cur.execute(sql)
        return list(cur)


class Client(DBAPI):
    def write(self, admin):
        super().write(admin)
        conn = connect(USER, PASSWORD)
        with conn.cursor() as cur:
            cur.execute("SELECT 1; SELECT id, email FROM customers WHERE id = 1")
            cur.nextset()
            observe("several", rows(cur.fetchall()))
        conn.ping(reconnect=False)
        conn.select_db("hr")
        with conn.cursor() as cur:
            cur.execute("SELECT id, full_name, ssn, salary, birth_date, hired_on FROM employees WHERE id = 1")
            observe("salaries", rows(cur.fetchall()))
        conn.close()


Client(connect, "%s", stream, pymysql.Error).main()
