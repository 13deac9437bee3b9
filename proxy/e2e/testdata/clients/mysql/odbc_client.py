"""MariaDB Connector/ODBC under unixODBC, by pyodbc: server-side prepared statements, SQLCancel."""
import pyodbc
from observe import *

pyodbc.pooling = False


def connect(user=USER, password=PASSWORD):
    settings = {"Driver": "{MariaDB Unicode}", "Server": HOST, "Port": str(PORT), "Database": DATABASE, "UID": user, "PWD": password,
                "SSLCA": CA, "SSLVERIFY": "1", "CHARSET": "utf8mb4"}
    return pyodbc.connect(";".join(k + "=" + v for k, v in settings.items()), autocommit=True)


def fetch(conn, sql, *args):
    cur = conn.cursor()
    try:
        return cur.execute(sql, *args).fetchall()
    finally:
        cur.close()


def message(conn, sql, *args):
    try:
        conn.cursor().execute(sql, *args)
    except pyodbc.Error as e:
        return e.args
    return "", "no error"


def read(conn):
    people = fetch(conn, PEOPLE.format("?"), 15, 24)
    observe("people", rows(people))
    observe("types", types(people[0]))
    cur = conn.cursor()
    payment = PAYMENT.format("?")
    observe("payments", rows(cur.execute(payment, 3).fetchall() + cur.execute(payment, 4).fetchall()))  # prepared once
    cur.close()
    salaries = fetch(conn, SALARIES.format("?"), 5)
    observe("salaries", rows(salaries))
    observe("salary_sum", cell(sum((r[3] for r in salaries), decimal.Decimal(0))))
    observe("cursor", rows(fetch(conn, EVERYBODY)))


def write(admin):
    admin.cursor().execute(TABLE)
    admin.cursor().executemany(INSERT.format("?"), [ROW, EMPTY])
    observe("written", rows(fetch(admin, WRITTEN)))


def refused(conn):
    observe("denied_message", message(conn, DENIED.format("?"), "david.huber1@example.org")[1])
    observe("alive", rows(fetch(conn, "SELECT 1")))
    observe("read_only_message", message(conn, READ_ONLY.format("?"), "x", 1)[1])
    conn.autocommit = False
    message(conn, DENIED.format("?"), "x")
    observe("in_transaction", rows(fetch(conn, CONTACT.format("?"), 1)))
    conn.rollback()
    conn.autocommit = True


def wrong_password():
    try:
        connect(password="wrong").close()
        observe("wrong_password", "accepted")
    except pyodbc.Error as e:
        observe("wrong_password", str(e))


conn, admin = connect(), connect(ADMIN, ADMIN_PASSWORD)
read(conn)
write(admin)
if THROUGH_WEIR:
    refused(conn)
    wrong_password()
conn.close()
admin.close()
