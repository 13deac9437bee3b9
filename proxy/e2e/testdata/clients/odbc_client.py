"""psqlODBC under unixODBC, by pyodbc: SQLPrepare with server-side statements, declared cursors, SQLCancel."""
import datetime
import decimal
import threading
import time

import pyodbc
from observe import *

pyodbc.pooling = False


def connect(user=USER, password=PASSWORD):
    # UseDeclareFetch reads by cursor, Fetch rows at a time; 7.4-2 undoes a failed statement by a savepoint.
    settings = {"Driver": "{PostgreSQL Unicode}", "Servername": HOST, "Port": PORT, "Database": DATABASE, "UID": user, "PWD": password,
                "SSLmode": "verify-full", "pqopt": "{sslrootcert=" + CA + "}", "UseServerSidePrepare": "1", "UseDeclareFetch": "1",
                "Fetch": "100", "Protocol": "7.4-2"}
    return pyodbc.connect(";".join(k + "=" + v for k, v in settings.items()), autocommit=True)


def fetch(conn, sql, *args):
    cur = conn.cursor()
    try:
        return cur.execute(sql, *args).fetchall()
    finally:
        cur.close()


def sqlstate(conn, sql, *args):
    try:
        conn.cursor().execute(sql, *args)
    except pyodbc.Error as e:
        return e.args
    return "", "no error"


def read(conn):
    # The driver hands out text for jsonb, inet and a timestamp without its zone.
    people = fetch(conn, PEOPLE.format("?").replace("created_at", "created_at AT TIME ZONE 'UTC'"), 15, 24)
    observe("people", [[cell(v.replace(tzinfo=datetime.timezone.utc) if isinstance(v, datetime.datetime) else v) for v in r] for r in people])
    observe("types", types(people[0]))
    cur = conn.cursor()
    payment = PAYMENT.format("?").replace("paid_at", "paid_at AT TIME ZONE 'UTC'")
    payments = cur.execute(payment, 3).fetchall() + cur.execute(payment, 4).fetchall()  # prepared once
    observe("payments", [[cell(v.replace(tzinfo=datetime.timezone.utc) if isinstance(v, datetime.datetime) else v) for v in r] for r in payments])
    cur.close()
    salaries = fetch(conn, SALARIES.format("?"), 5)
    observe("salaries", rows(salaries))
    observe("salary_sum", cell(sum((r[3] for r in salaries), decimal.Decimal(0))))
    observe("cursor", rows(fetch(conn, EVERYBODY)))
    observe("columns", [[r.column_name, r.type_name, str(r.nullable)] for r in conn.cursor().columns(table="customers", schema="public")])


def write(admin):
    admin.cursor().execute(TABLE)
    admin.cursor().execute(INSERT.format("?"), 1, decimal.Decimal("12.50"), datetime.date(2020, 2, 29), '{"a": [1, null]}', "10.1.2.3",
                           "grüße 'x' \\", b"\0\xff", datetime.datetime(2024, 5, 6, 7, 8, 9))
    observe("written", rows(fetch(admin, "SELECT id, price, day, doc, address, word, bytes FROM written ORDER BY id")))


def refused(conn):
    code, message = sqlstate(conn, DENIED.format("?"), "david.huber1@example.org")
    observe("denied", code)
    observe("denied_message", message)
    observe("alive", rows(fetch(conn, "SELECT 1")))
    observe("read_only", sqlstate(conn, "UPDATE customers SET segment = ? WHERE id = ?", "x", 1)[0])
    conn.autocommit = False
    fetch(conn, "SELECT 1")
    sqlstate(conn, DENIED.format("?"), "x")
    observe("savepoint", rows(fetch(conn, CONTACT.format("?"), 2)))
    conn.rollback()
    observe("rolled_back", rows(fetch(conn, CONTACT.format("?"), 1)))
    conn.commit()
    conn.autocommit = True


def cancel(admin):
    cur = admin.cursor()
    timer = threading.Timer(1, cur.cancel)
    timer.start()
    began = time.monotonic()
    try:
        cur.execute(SLEEP)
        observe("cancelled", "")
    except pyodbc.Error as e:
        observe("cancelled", e.args[0])
    observe("cancelled_soon", time.monotonic() - began < 20)
    timer.join()
    observe("alive_after_cancel", rows(fetch(admin, "SELECT 1")))


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
    cancel(admin)
    wrong_password()
conn.close()
admin.close()
