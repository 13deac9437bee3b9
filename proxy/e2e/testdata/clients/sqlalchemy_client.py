"""SQLAlchemy over psycopg2: Core statements, the ORM, reflection, a pool, nested transactions, a streamed result."""
import decimal

import sqlalchemy as sa
from observe import *
from sqlalchemy.orm import Session, declarative_base


def engine(user=USER, password=PASSWORD):
    url = sa.engine.URL.create("postgresql+psycopg2", user, password, HOST, int(PORT), DATABASE,
                               query={"sslmode": "verify-full", "sslrootcert": CA})
    return sa.create_engine(url, pool_size=2, pool_pre_ping=True, future=True)


Base = declarative_base()


class Employee(Base):
    __tablename__ = "employees"
    __table_args__ = {"schema": "hr"}
    id = sa.Column(sa.Integer, primary_key=True)
    full_name = sa.Column(sa.Text)
    ssn = sa.Column(sa.Text)
    salary = sa.Column(sa.Numeric(10, 2))
    birth_date = sa.Column(sa.Date)
    hired_on = sa.Column(sa.Date)


def reflect(e):
    customers = sa.Table("customers", sa.MetaData(), autoload_with=e)
    observe("columns", [[c.name, str(c.type), str(c.nullable)] for c in customers.columns])
    observe("tables", [sorted(sa.inspect(e).get_table_names()), sorted(sa.inspect(e).get_view_names())])
    return customers


def read(e, customers):
    c = customers.c
    with e.connect() as conn:
        select = (sa.select(c.id, c.first_name, c.email, c.phone, c.birth_date, c.street, c.country, c.preferences,
                            c.last_login_ip, c.created_at).where(c.id.between(sa.bindparam("a"), sa.bindparam("b"))).order_by(c.id))
        people = conn.execute(select, {"a": 15, "b": 24}).all()
        observe("people", rows(people))
        observe("types", types(people[0]))
        payment = sa.text(PAYMENT.format(":id"))
        observe("payments", rows(conn.execute(payment, {"id": 3}).all() + conn.execute(payment, {"id": 4}).all()))
        stream = conn.execution_options(stream_results=True, yield_per=100).execute(sa.select(c.id, c.email).order_by(c.id))
        observe("cursor", rows(stream))
    with Session(e) as session:
        people = session.execute(sa.select(Employee).where(Employee.id <= 5).order_by(Employee.id)).scalars().all()
        observe("salaries", rows([(p.id, p.full_name, p.ssn, p.salary, p.birth_date, p.hired_on) for p in people]))
        observe("salary_sum", cell(sum((p.salary for p in people), decimal.Decimal(0))))


def refused(e, customers):
    denied = sa.select(customers.c.id).where(customers.c.email == "david.huber1@example.org")
    with e.connect() as conn:
        observe("denied", sqlstate(conn, denied))
        observe("aborted", sqlstate(conn, sa.text("SELECT 1")))
        conn.rollback()
        observe("rolled_back", rows(conn.execute(sa.text(CONTACT.format(1))).all()))
        nested = conn.begin_nested()
        sqlstate(conn, denied)
        nested.rollback()
        observe("savepoint", rows(conn.execute(sa.text(CONTACT.format(2))).all()))
        conn.rollback()
        observe("read_only", sqlstate(conn, sa.update(customers).values(segment="x").where(customers.c.id == 1)))
        conn.rollback()
        observe("alive", rows(conn.execute(sa.text("SELECT 1")).all()))
    try:
        engine(password="wrong").connect()
        observe("wrong_password", "accepted")
    except sa.exc.OperationalError as err:
        observe("wrong_password", str(err))


def sqlstate(conn, statement):
    try:
        conn.execute(statement)
    except sa.exc.DBAPIError as err:
        return err.orig.pgcode
    return ""


e = engine()
customers = reflect(e)
read(e, customers)
if THROUGH_WEIR:
    refused(e, customers)
e.dispose()
