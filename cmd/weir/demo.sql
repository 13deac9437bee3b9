-- The demo's shop: made-up people, the same in every run. Every class of
-- protected data of the shipped policy occurs.
CREATE SCHEMA hr;

CREATE FUNCTION pg_temp.pick(words text[], n bigint) RETURNS text LANGUAGE sql IMMUTABLE
  RETURN words[1 + (n % array_length(words, 1))::int];

CREATE TABLE customers (
  id int PRIMARY KEY,
  first_name text NOT NULL,
  last_name text NOT NULL,
  email text NOT NULL UNIQUE,
  phone text,
  birth_date date,
  street text NOT NULL,
  city text NOT NULL,
  country char(2) NOT NULL,
  segment text NOT NULL,
  preferences jsonb NOT NULL DEFAULT '{}',
  last_login_ip inet,
  created_at timestamptz NOT NULL
);

CREATE TABLE products (
  id int PRIMARY KEY,
  name text NOT NULL,
  category text NOT NULL,
  price numeric(10,2) NOT NULL CHECK (price > 0)
);

CREATE TABLE orders (
  id int PRIMARY KEY,
  customer_id int NOT NULL REFERENCES customers,
  status text NOT NULL CHECK (status IN ('new', 'paid', 'shipped', 'returned')),
  total numeric(12,2) NOT NULL,
  note text,
  ordered_at timestamptz NOT NULL
);
CREATE INDEX ON orders (customer_id);

CREATE TABLE order_items (
  order_id int NOT NULL REFERENCES orders,
  line int NOT NULL,
  product_id int NOT NULL REFERENCES products,
  quantity int NOT NULL,
  price numeric(10,2) NOT NULL,
  PRIMARY KEY (order_id, line)
);

CREATE TABLE payments (
  id int PRIMARY KEY,
  order_id int NOT NULL REFERENCES orders,
  method text NOT NULL,
  card_number text,
  cvv char(3),
  iban text,
  amount numeric(12,2) NOT NULL,
  paid_at timestamptz NOT NULL
);
CREATE INDEX ON payments (order_id);

CREATE TABLE hr.employees (
  id int PRIMARY KEY,
  full_name text NOT NULL,
  email text NOT NULL,
  department text NOT NULL,
  ssn text NOT NULL,
  salary numeric(10,2) NOT NULL,
  birth_date date NOT NULL,
  hired_on date NOT NULL
);

CREATE TABLE api_clients (
  id int PRIMARY KEY,
  label text NOT NULL,
  api_key text NOT NULL,
  created_at timestamptz NOT NULL
);

INSERT INTO customers
SELECT i, f, l, lower(f) || '.' || lower(l) || i || '@' || pg_temp.pick('{example.com,example.org,example.net}', i),
       CASE WHEN i % 17 <> 0 THEN '+43 660 ' || lpad((i * 7919 % 10000000)::text, 7, '0') END,
       CASE WHEN i % 23 <> 0 THEN date '1945-01-01' + (i * 9973 % 22000)::int END,
       pg_temp.pick('{Lindenweg,Hauptstrasse,Rue du Lac,Via Roma,Mill Lane,Calle Mayor}', i * 13) || ' ' || (1 + i * 31 % 180),
       pg_temp.pick('{Vienna,Graz,Berlin,Lyon,Turin,Leeds,Madrid,Zurich}', i * 5), pg_temp.pick('{AT,AT,DE,FR,IT,GB,ES,CH}', i * 5),
       pg_temp.pick('{consumer,consumer,business,premium}', i * 3),
       jsonb_build_object('newsletter', i % 3 = 0, 'language', pg_temp.pick('{de,en,fr,it}', i)),
       ('10.' || i % 200 || '.' || i * 7 % 250 || '.' || 1 + i * 11 % 250)::inet,
       timestamptz '2024-01-01 00:00:00+00' + i * interval '7 hours'
FROM (SELECT i, pg_temp.pick('{Ana,Ben,Chiara,David,Elif,Franz,Greta,Hugo,Ines,Jonas,Klara,Luca,Mara,Noah,Olga,Paul,Rosa,Stefan,Tara,Vera}', i * 3) f,
             pg_temp.pick('{Adler,Bauer,Conti,Dubois,Egger,Fischer,Garcia,Huber,Ivanova,Jansen,Keller,Lopez,Moser,Novak,Ortiz,Pichler,Rossi,Schmid,Taylor,Weiss,Young}', i * 7 + i / 20) l
      FROM generate_series(1, 1200) i) people;

INSERT INTO products
SELECT i, pg_temp.pick('{Walnut,Oak,Linen,Copper,Glass,Wool}', i) || ' ' || pg_temp.pick('{table,lamp,chair,bowl,blanket,shelf,clock}', i * 3),
       pg_temp.pick('{furniture,lighting,kitchen,textiles}', i * 5), round((5 + (i * 37 % 900) + 0.9)::numeric, 2)
FROM generate_series(1, 80) i;

INSERT INTO orders
SELECT i, 1 + i * 7 % 1200, pg_temp.pick('{new,paid,paid,shipped,shipped,shipped,returned}', i * 3), 0,
       CASE WHEN i % 40 = 0 THEN 'please ring twice' END, timestamptz '2025-01-01 08:00:00+00' + i * interval '97 minutes'
FROM generate_series(1, 3000) i;

INSERT INTO order_items
SELECT o, n, 1 + (o * 11 + n * 29) % 80, 1 + (o + n) % 4, p.price
FROM generate_series(1, 3000) o, generate_series(1, 2) n, products p
WHERE p.id = 1 + (o * 11 + n * 29) % 80 AND (n = 1 OR o % 3 <> 0);

UPDATE orders SET total = s.total
FROM (SELECT order_id, sum(quantity * price) total FROM order_items GROUP BY 1) s WHERE s.order_id = id;

INSERT INTO payments
SELECT o.id, o.id, CASE WHEN o.id % 4 = 0 THEN 'transfer' ELSE 'card' END,
       CASE WHEN o.id % 4 <> 0 THEN '4' || lpad((o.customer_id::bigint * 7919 % 1000000000000000)::text, 15, '5') END,
       CASE WHEN o.id % 4 <> 0 THEN lpad((o.customer_id * 13 % 1000)::text, 3, '0') END,
       CASE WHEN o.id % 4 = 0 THEN 'AT61' || lpad((o.customer_id::bigint * 104729)::text, 16, '1904') END,
       o.total, o.ordered_at + interval '5 minutes'
FROM orders o WHERE o.status <> 'new';

INSERT INTO hr.employees
SELECT i, f || ' ' || l, lower(f) || '.' || lower(l) || '@shop.example', pg_temp.pick('{Sales,Warehouse,Support,Finance,Engineering}', i * 3),
       lpad((100 + i * 37 % 899)::text, 3, '0') || '-' || lpad((i * 17 % 99)::text, 2, '0') || '-' || lpad((i * 7919 % 10000)::text, 4, '0'),
       28000 + (i * 6151 % 74000) + 0.50, date '1960-01-01' + (i * 211 % 15000), date '2012-01-01' + (i * 67 % 4800)
FROM (SELECT i, pg_temp.pick('{Anton,Bea,Carla,Dario,Emma,Felix,Gina,Hans,Iris,Jan}', i) f,
             pg_temp.pick('{Aigner,Brandt,Caruso,Dietz,Ebner,Fuchs,Gruber,Hofer}', i * 3 + i / 10) l
      FROM generate_series(1, 120) i) people;

INSERT INTO api_clients
SELECT i, pg_temp.pick('{storefront,warehouse,accounting,partner}', i) || '-' || i, 'sk_' || md5('demo key ' || i), timestamptz '2025-03-01 00:00:00+00' + i * interval '3 days'
FROM generate_series(1, 12) i;

CREATE VIEW customer_contacts AS SELECT id, first_name, last_name, email, phone, country FROM customers;
CREATE VIEW sales_by_country AS
  SELECT c.country, count(*) AS orders, sum(o.total) AS revenue FROM orders o JOIN customers c ON c.id = o.customer_id GROUP BY c.country;

COMMENT ON TABLE customers IS 'People who buy. Names, addresses and dates of birth are personal data.';
COMMENT ON TABLE payments IS 'Card and bank data.';
COMMENT ON TABLE hr.employees IS 'Staff; salaries are confidential.';
ANALYZE;
