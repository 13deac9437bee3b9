-- The demo's shop in MariaDB: the same made-up people as in demo.sql.
CREATE DATABASE shop;
CREATE DATABASE hr;
USE shop;

CREATE TABLE customers (
  id INT PRIMARY KEY,
  first_name VARCHAR(40) NOT NULL,
  last_name VARCHAR(40) NOT NULL,
  email VARCHAR(120) NOT NULL UNIQUE,
  phone VARCHAR(30),
  birth_date DATE,
  street VARCHAR(80) NOT NULL,
  city VARCHAR(40) NOT NULL,
  country CHAR(2) NOT NULL,
  segment VARCHAR(20) NOT NULL,
  preferences JSON NOT NULL DEFAULT '{}',
  last_login_ip INET4,
  created_at TIMESTAMP NOT NULL
) COMMENT 'People who buy. Names, addresses and dates of birth are personal data.';

CREATE TABLE products (
  id INT PRIMARY KEY,
  name VARCHAR(80) NOT NULL,
  category VARCHAR(40) NOT NULL,
  price DECIMAL(10,2) NOT NULL CHECK (price > 0)
);

CREATE TABLE orders (
  id INT PRIMARY KEY,
  customer_id INT NOT NULL,
  status ENUM('new', 'paid', 'shipped', 'returned') NOT NULL,
  total DECIMAL(12,2) NOT NULL,
  note VARCHAR(200),
  ordered_at TIMESTAMP NOT NULL,
  FOREIGN KEY (customer_id) REFERENCES customers (id)
);

CREATE TABLE order_items (
  order_id INT NOT NULL,
  line INT NOT NULL,
  product_id INT NOT NULL,
  quantity INT NOT NULL,
  price DECIMAL(10,2) NOT NULL,
  PRIMARY KEY (order_id, line),
  FOREIGN KEY (order_id) REFERENCES orders (id),
  FOREIGN KEY (product_id) REFERENCES products (id)
);

CREATE TABLE payments (
  id INT PRIMARY KEY,
  order_id INT NOT NULL,
  method VARCHAR(10) NOT NULL,
  card_number VARCHAR(19),
  cvv CHAR(3),
  iban VARCHAR(34),
  amount DECIMAL(12,2) NOT NULL,
  paid_at TIMESTAMP NOT NULL,
  FOREIGN KEY (order_id) REFERENCES orders (id)
) COMMENT 'Card and bank data.';

CREATE TABLE hr.employees (
  id INT PRIMARY KEY,
  full_name VARCHAR(80) NOT NULL,
  email VARCHAR(120) NOT NULL,
  department VARCHAR(40) NOT NULL,
  ssn CHAR(11) NOT NULL,
  salary DECIMAL(10,2) NOT NULL,
  birth_date DATE NOT NULL,
  hired_on DATE NOT NULL
) COMMENT 'Staff; salaries are confidential.';

CREATE TABLE api_clients (
  id INT PRIMARY KEY,
  label VARCHAR(40) NOT NULL,
  api_key VARCHAR(64) NOT NULL,
  created_at TIMESTAMP NOT NULL
);

INSERT INTO customers
SELECT i, f, l, CONCAT(LOWER(f), '.', LOWER(l), i, '@', ELT(1 + i % 3, 'example.com', 'example.org', 'example.net')),
       IF(i % 17 <> 0, CONCAT('+43 660 ', LPAD(i * 7919 % 10000000, 7, '0')), NULL),
       IF(i % 23 <> 0, DATE_ADD(DATE '1945-01-01', INTERVAL i * 9973 % 22000 DAY), NULL),
       CONCAT(ELT(1 + i * 13 % 6, 'Lindenweg', 'Hauptstrasse', 'Rue du Lac', 'Via Roma', 'Mill Lane', 'Calle Mayor'), ' ', 1 + i * 31 % 180),
       ELT(1 + i * 5 % 8, 'Vienna', 'Graz', 'Berlin', 'Lyon', 'Turin', 'Leeds', 'Madrid', 'Zurich'),
       ELT(1 + i * 5 % 8, 'AT', 'AT', 'DE', 'FR', 'IT', 'GB', 'ES', 'CH'),
       ELT(1 + i * 3 % 4, 'consumer', 'consumer', 'business', 'premium'),
       JSON_OBJECT('language', ELT(1 + i % 4, 'de', 'en', 'fr', 'it'), 'newsletter', JSON_EXTRACT(IF(i % 3 = 0, 'true', 'false'), '$')),
       CONCAT('10.', i % 200, '.', i * 7 % 250, '.', 1 + i * 11 % 250),
       TIMESTAMP '2024-01-01 00:00:00' + INTERVAL i * 7 HOUR
FROM (SELECT seq i,
             ELT(1 + seq * 3 % 20, 'Ana', 'Ben', 'Chiara', 'David', 'Elif', 'Franz', 'Greta', 'Hugo', 'Ines', 'Jonas', 'Klara', 'Luca', 'Mara', 'Noah',
                 'Olga', 'Paul', 'Rosa', 'Stefan', 'Tara', 'Vera') f,
             ELT(1 + (seq * 7 + seq DIV 20) % 21, 'Adler', 'Bauer', 'Conti', 'Dubois', 'Egger', 'Fischer', 'Garcia', 'Huber', 'Ivanova', 'Jansen', 'Keller',
                 'Lopez', 'Moser', 'Novak', 'Ortiz', 'Pichler', 'Rossi', 'Schmid', 'Taylor', 'Weiss', 'Young') l
      FROM seq_1_to_1200) people;

INSERT INTO products
SELECT seq, CONCAT(ELT(1 + seq % 6, 'Walnut', 'Oak', 'Linen', 'Copper', 'Glass', 'Wool'), ' ',
                   ELT(1 + seq * 3 % 7, 'table', 'lamp', 'chair', 'bowl', 'blanket', 'shelf', 'clock')),
       ELT(1 + seq * 5 % 4, 'furniture', 'lighting', 'kitchen', 'textiles'), 5 + seq * 37 % 900 + 0.9
FROM seq_1_to_80;

INSERT INTO orders
SELECT seq, 1 + seq * 7 % 1200, ELT(1 + seq * 3 % 7, 'new', 'paid', 'paid', 'shipped', 'shipped', 'shipped', 'returned'), 0,
       IF(seq % 40 = 0, 'please ring twice', NULL), TIMESTAMP '2025-01-01 08:00:00' + INTERVAL seq * 97 MINUTE
FROM seq_1_to_3000;

INSERT INTO order_items
SELECT o.seq, n.seq, p.id, 1 + (o.seq + n.seq) % 4, p.price
FROM seq_1_to_3000 o JOIN seq_1_to_2 n JOIN products p ON p.id = 1 + (o.seq * 11 + n.seq * 29) % 80
WHERE n.seq = 1 OR o.seq % 3 <> 0;

UPDATE orders o JOIN (SELECT order_id, SUM(quantity * price) total FROM order_items GROUP BY order_id) s ON s.order_id = o.id
SET o.total = s.total;

INSERT INTO payments
SELECT id, id, IF(id % 4 = 0, 'transfer', 'card'),
       IF(id % 4 <> 0, CONCAT('4', LPAD(customer_id * 7919 % 1000000000000000, 15, '5')), NULL),
       IF(id % 4 <> 0, LPAD(customer_id * 13 % 1000, 3, '0'), NULL),
       IF(id % 4 = 0, CONCAT('AT61', LPAD(customer_id * 104729, 16, '1904')), NULL),
       total, ordered_at + INTERVAL 5 MINUTE
FROM orders WHERE status <> 'new';

INSERT INTO hr.employees
SELECT i, CONCAT(f, ' ', l), CONCAT(LOWER(f), '.', LOWER(l), '@shop.example'),
       ELT(1 + i * 3 % 5, 'Sales', 'Warehouse', 'Support', 'Finance', 'Engineering'),
       CONCAT(LPAD(100 + i * 37 % 899, 3, '0'), '-', LPAD(i * 17 % 99, 2, '0'), '-', LPAD(i * 7919 % 10000, 4, '0')),
       28000 + i * 6151 % 74000 + 0.50, DATE_ADD(DATE '1960-01-01', INTERVAL i * 211 % 15000 DAY), DATE_ADD(DATE '2012-01-01', INTERVAL i * 67 % 4800 DAY)
FROM (SELECT seq i, ELT(1 + seq % 10, 'Anton', 'Bea', 'Carla', 'Dario', 'Emma', 'Felix', 'Gina', 'Hans', 'Iris', 'Jan') f,
             ELT(1 + (seq * 3 + seq DIV 10) % 8, 'Aigner', 'Brandt', 'Caruso', 'Dietz', 'Ebner', 'Fuchs', 'Gruber', 'Hofer') l
      FROM seq_1_to_120) people;

INSERT INTO api_clients
SELECT seq, CONCAT(ELT(1 + seq % 4, 'storefront', 'warehouse', 'accounting', 'partner'), '-', seq), CONCAT('sk_', MD5(CONCAT('demo key ', seq))),
       TIMESTAMP '2025-03-01 00:00:00' + INTERVAL seq * 3 DAY
FROM seq_1_to_12;

CREATE VIEW customer_contacts AS SELECT id, first_name, last_name, email, phone, country FROM customers;
CREATE VIEW sales_by_country AS
  SELECT c.country, COUNT(*) AS orders, SUM(o.total) AS revenue FROM orders o JOIN customers c ON c.id = o.customer_id GROUP BY c.country;

ANALYZE TABLE customers, products, orders, order_items, payments, hr.employees, api_clients;
