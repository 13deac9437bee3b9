"""SQLAlchemy over PyMySQL: Core statements, the ORM, reflection, a pool, nested transactions, a streamed result."""
import decimal

import sqlalchemy as sa
from observe import *
from sqlalchemy.orm import Session, declarative_base


def engine(user=USER, password=PASSWORD):
    url = sa.engine.URL.create("mariadb+pymysql", user, password, HOST, PORT, DATABASE, query={"charset": "utf8mb4"})
    return sa.create_engine(url, pool_size=2, pool_pre_ping=True, future=True, connect_args={"ssl": {"ca": CA}})


Base = declarative_base()


class Employee(Base):
    __tablename__ = "employees"
    __table_args__ = {"schema": "hr"}
    id = sa.Column(sa.Integer, primary_key=True)
    full_name = sa.Column(sa.String(80))
    ssn = sa.Column(sa.CHAR(11))
    salary = sa.Column(sa.Numeric(10, 2))
    birth_date = sa.Column(sa.Date)
    hired_on = sa.Column(sa.Date)


def reflect(e):
    # The last of its columns has a type that this version does not know.
    products = sa.Table("products", sa.MetaData(), autoload_with=e)
    observe("columns", [[c.name, str(c.type), str(c.nullable)] for c in products.columns])
    observe("tables", [sorted(sa.inspect(e).get_table_names()), sorted(sa.inspect(e).get_view_names())])


def read(e):
    with e.connect() as conn:
        select = sa.text(PEOPLE.replace("{0} AND {0}", ":a AND :b"))
        people = conn.execute(select, {"a": 15, "b": 24}).all()
        observe("people", rows(people))
        observe("types", types(people[0]))
        payment = sa.text(PAYMENT.format(":id"))
        observe("payments", rows(conn.execute(payment, {"id": 3}).all() + conn.execute(payment, {"id": 4}).all()))
        stream = conn.execution_options(stream_results=True, yield_per=100).execute(sa.text(EVERYBODY))
        observe("cursor", rows(stream))
    with Session(e) as session:
        people = session.execute(sa.select(Employee).where(Employee.id <= 5).order_by(Employee.id)).scalars().all()
        observe("salaries", rows([(p.id, p.full_name, p.ssn, p.salary, p.birth_date, p.hired_on) for p in people]))
        observe("salary_sum", cell(sum((p.salary for p in people), decimal.Decimal(0))))


def refused(e):
    denied = sa.text(DENIED.format("'david.huber1@example.org'"))
    with e.connect() as conn:
        observe("denied", errno(conn, denied))
        observe("alive", rows(conn.execute(sa.text("SELECT 1")).all()))
        conn.rollback()
        nested = conn.begin_nested()
        errno(conn, denied)
        nested.rollback()
        observe("in_transaction", rows(conn.execute(sa.text(CONTACT.format(1))).all()))
        conn.rollback()
        observe("read_only", errno(conn, sa.text(READ_ONLY.format("1"))))
    try:
        engine(password="wrong").connect()
        observe("wrong_password", "accepted")
    except sa.exc.OperationalError as err:
        observe("wrong_password", err.orig.args[0])


def errno(conn, statement):
    try:
        conn.execute(statement)
    except sa.exc.DBAPIError as err:
        return err.orig.args[0]
    return 0


e = engine()
reflect(e)
read(e)
if THROUGH_WEIR:
    refused(e)
e.dispose()
