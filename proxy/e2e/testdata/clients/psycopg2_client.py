"""psycopg2: literals in the text, server-side PREPARE, named cursors, COPY both ways."""
import datetime
import decimal
import io
import threading
import time

import psycopg2
import psycopg2.extras
from observe import *


def connect(user=USER, password=PASSWORD):
    return psycopg2.connect(host=HOST, port=PORT, dbname=DATABASE, user=user, password=password,
                            sslmode="verify-full", sslrootcert=CA)


def fetch(conn, sql, args=None):
    with conn.cursor() as cur:
        cur.execute(sql, args)
        return cur.fetchall()


def sqlstate(conn, sql, args=None):
    try:
        fetch(conn, sql, args)
    except psycopg2.Error as e:
        return e.pgcode, str(e)
    return "", "no error"


def read(conn):
    people = fetch(conn, PEOPLE.format("%s"), (15, 24))
    observe("people", rows(people))
    observe("types", types(people[0]))
    fetch_none(conn, "PREPARE payment (int) AS " + PAYMENT.format("$1"))
    observe("payments", rows(fetch(conn, "EXECUTE payment(%s)", (3,)) + fetch(conn, "EXECUTE payment(%s)", (4,))))
    fetch_none(conn, "DEALLOCATE payment")
    salaries = fetch(conn, SALARIES.format("%s"), (5,))
    observe("salaries", rows(salaries))
    observe("salary_sum", cell(sum((r[3] for r in salaries), decimal.Decimal(0))))
    conn.rollback()
    conn.autocommit = False
    with conn.cursor(name="everybody") as cur:
        cur.itersize = 100
        cur.execute(EVERYBODY)
        observe("cursor", rows(cur))
    conn.rollback()
    conn.autocommit = True
    out = io.StringIO()
    with conn.cursor() as cur:
        cur.copy_expert(COPY, out)
    observe("copy", [[None if f == "\\N" else f for f in l.split("\t")] for l in out.getvalue().splitlines()])


def fetch_none(conn, sql, args=None):
    with conn.cursor() as cur:
        cur.execute(sql, args)


def write(admin):
    fetch_none(admin, TABLE)
    fetch_none(admin, INSERT.format("%s"), (1, decimal.Decimal("12.50"), datetime.date(2020, 2, 29),
               psycopg2.extras.Json({"a": [1, None]}), "10.1.2.3", "grüße 'x' \\", b"\0\xff",
               datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.timezone.utc)))
    fetch_none(admin, INSERT.format("%s"), (2,) + (None,) * 7)
    with admin.cursor() as cur:
        cur.copy_expert("COPY written (id, word) FROM STDIN", io.StringIO("3\tthree\n4\t\\N\n"))
    observe("written", rows(fetch(admin, WRITTEN)))


def refused(conn):
    code, message = sqlstate(conn, DENIED.format("%s"), ("david.huber1@example.org",))
    observe("denied", code)
    observe("denied_message", message)
    observe("alive", rows(fetch(conn, "SELECT 1")))
    observe("read_only", sqlstate(conn, "UPDATE customers SET segment = %s WHERE id = %s", ("x", 1))[0])
    conn.autocommit = False
    fetch(conn, "SELECT 1")
    sqlstate(conn, DENIED.format("%s"), ("x",))
    observe("aborted", sqlstate(conn, "SELECT 1")[0])
    conn.rollback()
    observe("rolled_back", rows(fetch(conn, CONTACT.format("%s"), (1,))))
    fetch_none(conn, "SAVEPOINT s")
    sqlstate(conn, DENIED.format("%s"), ("x",))
    fetch_none(conn, "ROLLBACK TO SAVEPOINT s")
    observe("savepoint", rows(fetch(conn, CONTACT.format("%s"), (2,))))
    conn.commit()
    conn.autocommit = True


def cancel(admin):
    timer = threading.Timer(0.5, admin.cancel)
    timer.start()
    began = time.monotonic()
    observe("cancelled", sqlstate(admin, SLEEP)[0])
    observe("cancelled_soon", time.monotonic() - began < 20)
    timer.join()
    observe("alive_after_cancel", rows(fetch(admin, "SELECT 1")))


def wrong_password():
    try:
        connect(password="wrong").close()
        observe("wrong_password", "accepted")
    except psycopg2.OperationalError as e:
        observe("wrong_password", str(e))


conn, admin = connect(), connect(ADMIN, ADMIN_PASSWORD)
conn.autocommit = admin.autocommit = True
observe("tls", conn.info.ssl_in_use)
read(conn)
write(admin)
if THROUGH_WEIR:
    refused(conn)
    cancel(admin)
    wrong_password()
conn.close()
admin.close()
