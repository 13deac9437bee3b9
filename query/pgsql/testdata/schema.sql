-- The database that the analyser's tests run on.
CREATE EXTENSION citext;
CREATE EXTENSION postgres_fdw;
CREATE SCHEMA shop;
CREATE SCHEMA staff;
CREATE SCHEMA util;

CREATE TYPE staff.grade AS ENUM ('junior', 'senior');
CREATE TYPE staff.address AS (street text, zip text);
CREATE DOMAIN shop.email AS text CHECK (VALUE LIKE '%@%');

CREATE TABLE shop.customer (
  id int PRIMARY KEY, name text NOT NULL, email shop.email, region text, nick citext,
  phones text[], profile jsonb, born date,
  mail_lower text GENERATED ALWAYS AS (lower(email)) STORED,
  CONSTRAINT adult CHECK (born < '2020-01-01'), UNIQUE (email)
);
CREATE TABLE shop.orders (
  id int PRIMARY KEY, customer_id int REFERENCES shop.customer (id), placed date NOT NULL,
  total numeric(10,2) NOT NULL, note text DEFAULT 'none', coupon text
);
CREATE TABLE shop.item (order_id int, line int, sku text, price numeric, PRIMARY KEY (order_id, line));
CREATE TABLE shop.booking (id int, during daterange, EXCLUDE USING gist (during WITH &&));
CREATE TABLE staff.employee (
  id int PRIMARY KEY, name text, salary numeric, manager_id int, grade staff.grade, home staff.address, room int
);
CREATE TABLE staff.accounts (id int PRIMARY KEY, secret text);
CREATE TABLE shop.accounts (id int PRIMARY KEY, secret text);
CREATE TABLE staff.person (id int, name text);
CREATE TABLE staff.contractor (agency text) INHERITS (staff.person);
CREATE TABLE staff.bonus (id int, amount int, paid date) PARTITION BY RANGE (amount);
CREATE TABLE staff.bonus_low PARTITION OF staff.bonus FOR VALUES FROM (MINVALUE) TO (1000);
CREATE TABLE staff.bonus_high PARTITION OF staff.bonus FOR VALUES FROM (1000) TO (MAXVALUE);
CREATE TABLE staff.file (id int, level int, title text);
ALTER TABLE staff.file ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON staff.file USING (level < (SELECT e.room FROM staff.employee e WHERE e.id = 1));
CREATE SEQUENCE shop.ticket;

CREATE FUNCTION util.secret(int) RETURNS text LANGUAGE plpgsql STABLE
  AS $$ BEGIN RETURN (SELECT secret FROM staff.accounts WHERE id = $1); END $$;
CREATE FUNCTION util.pay(who int) RETURNS numeric LANGUAGE sql STABLE AS $$ SELECT salary FROM staff.employee WHERE id = who $$;
CREATE FUNCTION util.slug(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT lower(replace($1, ' ', '-')) $$;
CREATE FUNCTION util.both(i int, OUT a text, OUT b numeric) LANGUAGE sql STABLE AS $$ SELECT name, salary FROM staff.employee WHERE id = i $$;
CREATE FUNCTION util.rich() RETURNS SETOF staff.employee LANGUAGE sql STABLE AS $$ SELECT * FROM staff.employee WHERE salary > 100 $$;
CREATE FUNCTION util.inline(i int) RETURNS text LANGUAGE sql STABLE RETURN (SELECT e.name FROM staff.employee e WHERE e.id = i);
CREATE FUNCTION util.pathed(int) RETURNS text LANGUAGE sql STABLE SET search_path = staff AS $$ SELECT secret FROM accounts WHERE id = $1 $$;
CREATE FUNCTION util.hello(shop.customer) RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'Dear ' || $1.name $$;
CREATE FUNCTION util.step(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1 || $2 $$;
CREATE AGGREGATE util.glue(text) (sfunc = util.step, stype = text, initcond = '');
CREATE FUNCTION util.starts(text, text) RETURNS bool LANGUAGE sql IMMUTABLE AS $$ SELECT left($1, length($2)) = $2 $$;
CREATE OPERATOR util.^^^ (leftarg = text, rightarg = text, function = util.starts);
CREATE FUNCTION util.peek(int, int) RETURNS bool LANGUAGE plpgsql STABLE
  AS $$ BEGIN RETURN (SELECT secret FROM staff.accounts WHERE id = $1) > '5'; END $$;
CREATE OPERATOR util.%%% (leftarg = int, rightarg = int, function = util.peek);
CREATE FUNCTION util.line(staff.address) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN ($1).street; END $$;
CREATE CAST (staff.address AS text) WITH FUNCTION util.line(staff.address);
CREATE FUNCTION util.well_paid(int) RETURNS bool LANGUAGE sql STABLE AS $$ SELECT salary > 50 FROM staff.employee WHERE id = $1 $$;
CREATE PROCEDURE util.work(i int) LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;

CREATE TABLE shop.limited (id int, who int CHECK (util.well_paid(who)));
CREATE TABLE shop.stamped (id int, by_whom text DEFAULT util.secret(1));
CREATE TABLE shop.watched (id int, body text);
CREATE FUNCTION util.watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER watch BEFORE INSERT ON shop.watched FOR EACH ROW EXECUTE FUNCTION util.watch();
CREATE TABLE shop.ruled (id int);
CREATE RULE ruled_ins AS ON INSERT TO shop.ruled DO ALSO SELECT salary FROM staff.employee;

CREATE VIEW shop.v_customer AS SELECT id, name AS label, email, region FROM shop.customer;
CREATE VIEW shop.v_nested AS SELECT id AS k, upper(label) AS tag, email AS contact FROM shop.v_customer;
CREATE VIEW staff.v_filter AS SELECT id, name FROM staff.employee WHERE salary > 100;
CREATE VIEW staff.v_pay AS SELECT grade, avg(salary) AS mean, count(*) AS n FROM staff.employee GROUP BY grade;
CREATE VIEW staff.v_secret AS SELECT id, name, util.secret(id) AS secret FROM staff.employee;
CREATE VIEW staff.v_union AS SELECT id, name FROM staff.employee UNION ALL SELECT id, name FROM shop.customer;
CREATE VIEW staff.v_check AS SELECT id, name, salary FROM staff.employee WHERE salary < 10 WITH CHECK OPTION;
CREATE VIEW staff.v_rank AS SELECT id, rank() OVER (ORDER BY salary) AS pos FROM staff.employee;
CREATE RECURSIVE VIEW staff.v_tree (id, depth) AS
  SELECT id, 1 FROM staff.employee WHERE manager_id IS NULL
  UNION ALL SELECT e.id, t.depth + 1 FROM staff.employee e JOIN v_tree t ON e.manager_id = t.id;
CREATE VIEW staff.v_limit AS SELECT id FROM staff.employee ORDER BY salary LIMIT 5;
CREATE VIEW shop.v_join AS SELECT c.id, c.name, o.total FROM shop.customer c JOIN shop.orders o ON o.customer_id = c.id;
CREATE MATERIALIZED VIEW staff.mv_names AS SELECT id, name AS label FROM staff.employee WITH NO DATA;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1');
CREATE FOREIGN TABLE shop.remote (id int, tag text) SERVER elsewhere;

CREATE DOMAIN util.checked AS int CHECK (util.well_paid(VALUE));
CREATE TYPE util.lookup AS (id int, note text);
CREATE FUNCTION util.looked_up(util.lookup) RETURNS int LANGUAGE sql STABLE AS $$ SELECT room FROM staff.employee WHERE id = ($1).id $$;
CREATE CAST (util.lookup AS int) WITH FUNCTION util.looked_up(util.lookup) AS IMPLICIT;
CREATE FUNCTION util.frozen(int) RETURNS text LANGUAGE plpgsql IMMUTABLE
  AS $$ BEGIN RETURN (SELECT secret FROM staff.accounts WHERE id = $1); END $$;
CREATE TABLE shop.computed (id int, plain text GENERATED ALWAYS AS (upper(body)) STORED, body text, made text GENERATED ALWAYS AS (util.frozen(id)) STORED);

-- Unique indexes over protected columns and others.
CREATE TABLE staff.seat (id int PRIMARY KEY, room int, holder text, badge text UNIQUE, alias text, UNIQUE (room, holder));
CREATE UNIQUE INDEX ON staff.seat (lower(alias)) WHERE room > 5;
CREATE UNIQUE INDEX ON staff.seat (room, badge) NULLS NOT DISTINCT;
CREATE TABLE shop.bill (id int, price int, quantity int, label text, note text,
  total int GENERATED ALWAYS AS (price * quantity) STORED, tag text GENERATED ALWAYS AS (lower(label)) STORED, CHECK (total < 1000000));
