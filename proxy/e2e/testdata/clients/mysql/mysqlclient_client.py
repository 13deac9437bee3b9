"""mysqlclient over MariaDB's C library: literals in the text, a streamed result."""
import MySQLdb
import MySQLdb.cursors
from observe import *


def connect(user, password):
    conn = MySQLdb.connect(host="127.0.0.1", port=PORT, db=DATABASE, user=user, passwd=password, charset="utf8mb4", autocommit=True,
                           ssl={"ca": CA})
    conn.begin = lambda: conn.cursor().execute("BEGIN")
    return conn


def stream(conn, sql):
    cur = conn.cursor(MySQLdb.cursors.SSCursor)
    cur.execute(sql)
    out = cur.fetchall()
    cur.close()
    return out


class Client(DBAPI):
    def write(self, admin):
        super().write(admin)
        conn = connect(USER, PASSWORD)
        conn.change_user(USER, PASSWORD, DATABASE)
        observe("changed", rows(self.fetch(conn, CONTACT.format("%s"), 1)))
        conn.close()


Client(connect, "%s", stream, MySQLdb.Error).main()
