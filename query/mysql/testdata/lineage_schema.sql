CREATE DATABASE shop

CREATE DATABASE hr

CREATE TABLE shop.customers (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(60) NOT NULL, city VARCHAR(40) NOT NULL, country CHAR(2) NOT NULL,
  ssn VARCHAR(11) NOT NULL, email VARCHAR(120), credit DECIMAL(12,2) NOT NULL, score DOUBLE, vip BOOL NOT NULL,
  domain VARCHAR(80) AS (SUBSTRING_INDEX(email,'@',-1)) VIRTUAL, note VARCHAR(200), prefs JSON, dev UUID, home POINT NOT NULL,
  UNIQUE KEY uk_ssn (ssn), KEY k_country (country), KEY k_credit (credit), CONSTRAINT ck CHECK (ssn RLIKE '^[0-9]'))

CREATE TABLE shop.cards (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, customer_id INT NOT NULL, brand VARCHAR(12) NOT NULL, pan BIGINT UNSIGNED NOT NULL,
  balance DECIMAL(14,4) NOT NULL, UNIQUE KEY uk_pan (pan), KEY k_cust (customer_id), CONSTRAINT fk_card FOREIGN KEY (customer_id) REFERENCES shop.customers (id))

CREATE TABLE shop.loyalty (id INT NOT NULL PRIMARY KEY, ssn VARCHAR(11) NOT NULL, points INT NOT NULL, KEY k_ssn (ssn),
  CONSTRAINT fk_loyalty FOREIGN KEY (ssn) REFERENCES shop.customers (ssn) ON UPDATE CASCADE)

CREATE TABLE shop.payments (id INT NOT NULL, method VARCHAR(12) NOT NULL, paid_on DATE NOT NULL, amount DECIMAL(12,2) NOT NULL, PRIMARY KEY (id, paid_on))
  PARTITION BY RANGE COLUMNS (paid_on) (PARTITION p1 VALUES LESS THAN ('2021-01-01'), PARTITION pmax VALUES LESS THAN (MAXVALUE))

CREATE TABLE shop.products (id INT NOT NULL PRIMARY KEY, title VARCHAR(80) NOT NULL, category VARCHAR(20) NOT NULL, price DECIMAL(10,2) NOT NULL, stock INT NOT NULL, KEY k_cat (category))

CREATE TABLE shop.employees (id INT NOT NULL PRIMARY KEY, name VARCHAR(60) NOT NULL, salary INT NOT NULL)

CREATE TABLE hr.employees (id INT NOT NULL PRIMARY KEY, name VARCHAR(60) NOT NULL, dept INT NOT NULL, salary INT UNSIGNED NOT NULL, born YEAR NOT NULL, KEY k_salary (salary), KEY k_dept (dept))

CREATE TABLE shop.contacts (id INT NOT NULL PRIMARY KEY, email VARCHAR(80) NOT NULL)

CREATE TABLE hr.contacts (id INT NOT NULL PRIMARY KEY, email VARCHAR(80))

CREATE TABLE shop.messages (id INT NOT NULL PRIMARY KEY, subject VARCHAR(80) NOT NULL, body TEXT NOT NULL, FULLTEXT KEY ft (subject, body))

CREATE TABLE shop.scratch (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, k VARCHAR(64) NOT NULL, v VARCHAR(400), n BIGINT, UNIQUE KEY uk_k (k))

CREATE TABLE shop.`order details ünï` (`line no` INT NOT NULL PRIMARY KEY, `select` VARCHAR(20) NOT NULL, `card``holder` VARCHAR(40) NOT NULL, `密码` VARCHAR(20) NOT NULL, `a.b` INT NOT NULL)

CREATE SEQUENCE shop.seq

CREATE VIEW shop.v_contact AS SELECT id AS cid, email AS addr FROM shop.customers

CREATE VIEW shop.v_nested AS SELECT cid AS k, CONCAT(cid, IFNULL(addr,'-')) AS label FROM shop.v_contact

CREATE VIEW shop.v_rich AS SELECT id, name FROM shop.customers WHERE credit > 50000

CREATE VIEW shop.v_agg AS SELECT country, COUNT(*) AS n, AVG(credit) AS x FROM shop.customers GROUP BY country

CREATE VIEW shop.v_union AS SELECT id, email AS addr FROM shop.contacts UNION ALL SELECT id, email FROM hr.contacts

CREATE ALGORITHM = TEMPTABLE VIEW shop.v_temp AS SELECT customer_id AS id, pan AS no FROM shop.cards

CREATE VIEW shop.v_join AS SELECT c.id, c.name, k.brand, k.balance AS b FROM shop.customers c JOIN shop.cards k ON k.customer_id = c.id

CREATE VIEW hr.v_staff AS SELECT id, name AS who, salary * 12 AS yearly FROM hr.employees

CREATE VIEW shop.v_sub AS SELECT id, (SELECT MAX(pan) FROM shop.cards k WHERE k.customer_id = c.id) AS top, RANK() OVER (ORDER BY credit) AS r FROM shop.customers c

CREATE FUNCTION shop.f_twice(x INT) RETURNS INT DETERMINISTIC NO SQL RETURN x * 2

CREATE FUNCTION shop.f_ssn(p INT) RETURNS VARCHAR(11) READS SQL DATA RETURN (SELECT ssn FROM shop.customers WHERE id = p)

INSERT INTO shop.customers (name, city, country, ssn, email, credit, score, vip, home) VALUES ('Ada', 'Madrid', 'ES', '123-45-6789', 'a@b.c', 5, 1.5, 1, POINT(1, 2)), ('Bob', 'Oslo', 'NO', '223-45-6789', NULL, 6, 2.5, 0, POINT(3, 4))

INSERT INTO shop.cards (customer_id, brand, pan, balance) VALUES (1, 'x', 18000000000000000000, 1.25), (2, 'y', 4, 2)

INSERT INTO shop.products VALUES (1, 'a', 'toys', 1.5, 3), (2, 'b', 'food', 2.5, 4)

INSERT INTO hr.employees VALUES (1, 'n', 1, 100, 1980), (2, 'm', 2, 50, 1990)
