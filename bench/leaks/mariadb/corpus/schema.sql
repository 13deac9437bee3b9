-- The schema of weir's own corpus for MariaDB, read by the mariadb client.
-- protected.json lists the columns that are protected; what depends on them
-- (generated columns, views, routines, triggers) is marked with a P.
CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
CREATE DATABASE hr CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
SET NAMES utf8mb4;
SET foreign_key_checks = 0;
USE shop;

CREATE TABLE items (
  id INT NOT NULL PRIMARY KEY,
  code VARCHAR(12) NOT NULL UNIQUE,
  title VARCHAR(60) NOT NULL,
  kind VARCHAR(16) NOT NULL,
  price DECIMAL(10,2) NOT NULL,
  stock INT NOT NULL,
  spec JSON NULL,
  since DATE NOT NULL,
  KEY by_kind (kind)
) STATS_AUTO_RECALC=0;

CREATE TABLE members (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  nick VARCHAR(40) NOT NULL,
  town VARCHAR(40) NOT NULL,
  land CHAR(2) NOT NULL,
  plan ENUM('free','small','large') NOT NULL,
  joined DATETIME NOT NULL,
  tax_no VARCHAR(14) NOT NULL,
  mail VARCHAR(100) NULL,
  tel VARCHAR(24) NULL,
  born DATE NOT NULL,
  ceiling DECIMAL(12,2) NOT NULL,
  rating DOUBLE NULL,
  vip TINYINT(1) NOT NULL,
  profile JSON NULL,
  token VARBINARY(24) NULL,
  bits BIT(10) NOT NULL,
  spot POINT NOT NULL,
  device UUID NULL,
  addr INET6 NULL,
  seen DATETIME(6) NULL,
  mail_host VARCHAR(60) AS (SUBSTRING_INDEX(mail, '@', -1)) VIRTUAL,
  tail CHAR(4) AS (RIGHT(tax_no, 4)) STORED,
  memo VARCHAR(100) NULL,
  UNIQUE KEY by_tax (tax_no),
  KEY by_mail (mail(8)),
  KEY by_land (land),
  KEY by_ceiling (ceiling),
  SPATIAL KEY by_spot (spot),
  CONSTRAINT tax_form CHECK (tax_no RLIKE '^[A-Z]{2}-[0-9]{5}-[0-9]{3}$')
) STATS_AUTO_RECALC=0;

CREATE TABLE wallets (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  member_id INT NOT NULL,
  brand VARCHAR(12) NOT NULL,
  number BIGINT UNSIGNED NOT NULL,
  code SMALLINT NULL,
  until YEAR NOT NULL,
  pin BLOB NULL,
  balance DECIMAL(14,4) NOT NULL,
  main TINYINT NOT NULL,
  UNIQUE KEY by_number (number),
  KEY by_member (member_id),
  CONSTRAINT wallet_member FOREIGN KEY (member_id) REFERENCES members (id)
) STATS_AUTO_RECALC=0;

CREATE TABLE purchases (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  member_id INT NOT NULL,
  item_id INT NOT NULL,
  qty INT NOT NULL,
  amount DECIMAL(12,2) NOT NULL,
  state VARCHAR(12) NOT NULL,
  at DATETIME NOT NULL,
  KEY by_member (member_id),
  KEY by_item (item_id)
) STATS_AUTO_RECALC=0;

CREATE TABLE staff (
  id INT NOT NULL PRIMARY KEY,
  name VARCHAR(40) NOT NULL,
  job VARCHAR(24) NOT NULL,
  pay INT NOT NULL COMMENT 'the published scale',
  mail VARCHAR(60) NOT NULL COMMENT 'the desk'
) STATS_AUTO_RECALC=0;

CREATE TABLE letters (
  id INT NOT NULL PRIMARY KEY,
  sender VARCHAR(40) NOT NULL,
  topic VARCHAR(60) NOT NULL,
  body TEXT NOT NULL,
  lang CHAR(2) NOT NULL,
  FULLTEXT KEY words (body),
  FULLTEXT KEY topic_words (topic, body)
) STATS_AUTO_RECALC=0;

CREATE TABLE dues (
  id INT NOT NULL,
  member_id INT NOT NULL,
  way VARCHAR(12) NOT NULL,
  paid_on DATE NOT NULL,
  sum_paid DECIMAL(12,2) NOT NULL,
  PRIMARY KEY (id, paid_on)
) STATS_AUTO_RECALC=0
PARTITION BY RANGE COLUMNS (paid_on) (
  PARTITION old VALUES LESS THAN ('2021-01-01'),
  PARTITION mid VALUES LESS THAN ('2023-01-01'),
  PARTITION new VALUES LESS THAN (MAXVALUE)
);

CREATE TABLE `odd names ß` (
  `row no` INT NOT NULL PRIMARY KEY,
  `from` VARCHAR(20) NOT NULL,
  `öffentlich` INT NOT NULL,
  `o``wner` VARCHAR(30) NOT NULL,
  `a.b` INT NOT NULL,
  `秘密` VARCHAR(16) NOT NULL
) STATS_AUTO_RECALC=0;

CREATE TABLE lockers (
  id INT NOT NULL PRIMARY KEY,
  label VARCHAR(20) NOT NULL,
  secret VARCHAR(40) NOT NULL,
  KEY by_secret (secret(6))
) ENGINE=Aria CHECKSUM=1;

CREATE TABLE log (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  what VARCHAR(40) NOT NULL,
  detail VARCHAR(200) NULL
) STATS_AUTO_RECALC=0;

CREATE TABLE pad (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  k VARCHAR(64) NOT NULL,
  v VARCHAR(400) NULL,
  n BIGINT NULL,
  UNIQUE KEY by_k (k)
) STATS_AUTO_RECALC=0;

CREATE TABLE narrow (
  id INT NOT NULL PRIMARY KEY,
  t TINYINT UNSIGNED NULL,
  v VARCHAR(4) NULL,
  d DATE NULL,
  y YEAR NULL,
  e ENUM('a','b') NULL,
  CONSTRAINT small CHECK (t IS NULL OR t < 200)
) STATS_AUTO_RECALC=0;

CREATE SEQUENCE tickets START WITH 1000 INCREMENT BY 1 NOCACHE;

CREATE TABLE hr.units (
  id INT NOT NULL PRIMARY KEY,
  name VARCHAR(40) NOT NULL,
  floor INT NOT NULL
) STATS_AUTO_RECALC=0;

CREATE TABLE hr.staff (
  id INT NOT NULL PRIMARY KEY,
  badge CHAR(6) NOT NULL,
  name VARCHAR(40) NOT NULL,
  unit_id INT NOT NULL,
  job VARCHAR(24) NOT NULL,
  boss_id INT NULL,
  started DATE NOT NULL,
  pay INT UNSIGNED NOT NULL,
  bonus DOUBLE NULL,
  nat_no VARCHAR(16) NOT NULL,
  shift TIME NOT NULL,
  contract ENUM('open','fixed','trial') NOT NULL,
  doors SET('north','south','east','west') NOT NULL,
  birth_year YEAR NOT NULL,
  review TEXT NULL,
  cap INT UNSIGNED NOT NULL,
  band VARCHAR(8) AS (CASE WHEN pay > 90000 THEN 'high' WHEN pay > 50000 THEN 'middle' ELSE 'low' END) STORED,
  total DOUBLE AS (pay * (1 + IFNULL(bonus, 0))) VIRTUAL,
  UNIQUE KEY by_badge (badge),
  UNIQUE KEY by_nat (nat_no),
  KEY by_pay (pay),
  KEY by_unit (unit_id),
  KEY by_review (review(10)),
  CONSTRAINT capped CHECK (pay <= cap),
  CONSTRAINT staff_unit FOREIGN KEY (unit_id) REFERENCES hr.units (id)
) STATS_AUTO_RECALC=0;

CREATE TABLE hr.checkups (
  id INT NOT NULL PRIMARY KEY,
  staff_id INT NOT NULL,
  kind VARCHAR(16) NOT NULL,
  at DATETIME(6) NOT NULL,
  finding TEXT NULL,
  icd CHAR(4) NOT NULL,
  weight DOUBLE NULL,
  scan MEDIUMBLOB NULL,
  KEY by_staff (staff_id),
  KEY by_icd (icd)
) STATS_AUTO_RECALC=0;

CREATE TABLE hr.pay (
  staff_id INT NOT NULL PRIMARY KEY,
  grade CHAR(2) NOT NULL,
  amount DECIMAL(12,2) NOT NULL
) STATS_AUTO_RECALC=0 WITH SYSTEM VERSIONING;

CREATE TABLE hr.offers (
  id INT NOT NULL PRIMARY KEY,
  lot VARCHAR(12) NOT NULL,
  top BIGINT UNSIGNED NOT NULL
) STATS_AUTO_RECALC=0;

CREATE TABLE hr.raises (
  id INT NOT NULL PRIMARY KEY,
  step VARCHAR(12) NOT NULL,
  sum INT NOT NULL,
  note VARCHAR(200) NULL,
  KEY by_sum (sum, step)
) STATS_AUTO_RECALC=0;

CREATE TABLE boxes (
  id INT NOT NULL,
  inside VARCHAR(20) NOT NULL
) ENGINE=MyISAM;

-- @data

SET foreign_key_checks = 1;
DELIMITER $$
-- P: the row's tax number goes to the log
CREATE DEFINER='h7_admin'@'%' TRIGGER members_renamed BEFORE UPDATE ON members FOR EACH ROW
BEGIN
  IF NOT (NEW.nick <=> OLD.nick) THEN
    INSERT INTO log (what, detail) VALUES ('renamed', CONCAT(OLD.nick, ' ', OLD.tax_no));
  END IF;
END$$
-- P: the ceiling decides the state
CREATE DEFINER='h7_admin'@'%' TRIGGER purchases_checked BEFORE INSERT ON purchases FOR EACH ROW
BEGIN
  IF NEW.state = 'check' THEN
    SET NEW.state = IF((SELECT m.ceiling FROM members m WHERE m.id = NEW.member_id) < NEW.amount, 'hold', 'new');
  END IF;
END$$
-- P: the message has the secret
CREATE DEFINER='h7_admin'@'%' TRIGGER lockers_kept BEFORE DELETE ON lockers FOR EACH ROW
BEGIN
  DECLARE m VARCHAR(100);
  SET m = CONCAT('locker of ', OLD.secret, ' stays');
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = m;
END$$
CREATE DEFINER='h7_admin'@'%' FUNCTION member_tax(m INT) RETURNS CHAR(14) CHARSET utf8mb4 READS SQL DATA
RETURN (SELECT tax_no FROM members WHERE id = m)$$
CREATE DEFINER='h7_admin'@'%' FUNCTION can_pay(m INT, much DECIMAL(12,2)) RETURNS INT READS SQL DATA SQL SECURITY INVOKER
BEGIN
  DECLARE c DECIMAL(12,2);
  SELECT ceiling INTO c FROM members WHERE id = m;
  RETURN c >= much;
END$$
CREATE DEFINER='h7_admin'@'%' FUNCTION item_price(i INT) RETURNS DECIMAL(10,2) READS SQL DATA
RETURN (SELECT price FROM items WHERE id = i)$$
CREATE DEFINER='h7_admin'@'%' FUNCTION thrice(x INT) RETURNS INT DETERMINISTIC NO SQL
RETURN x * 3$$
CREATE DEFINER='h7_admin'@'%' FUNCTION echo_text(x VARCHAR(400)) RETURNS VARCHAR(400) CHARSET utf8mb4 DETERMINISTIC NO SQL
RETURN x$$
CREATE DEFINER='h7_admin'@'%' AGGREGATE FUNCTION strung(x INT) RETURNS TEXT CHARSET utf8mb4
BEGIN
  DECLARE s TEXT DEFAULT '';
  DECLARE CONTINUE HANDLER FOR NOT FOUND RETURN s;
  LOOP
    FETCH GROUP NEXT ROW;
    SET s = CONCAT(s, ' ', x);
  END LOOP;
END$$
CREATE DEFINER='h7_admin'@'%' FUNCTION hr.pay_of(s INT) RETURNS INT READS SQL DATA
RETURN (SELECT pay FROM hr.staff WHERE id = s)$$
CREATE DEFINER='h7_admin'@'%' PROCEDURE show_member(IN m INT)
SELECT id, nick, tax_no, mail FROM members WHERE id = m$$
CREATE DEFINER='h7_admin'@'%' PROCEDURE tax_out(IN m INT, OUT t VARCHAR(20))
SELECT tax_no INTO t FROM members WHERE id = m$$
CREATE DEFINER='h7_admin'@'%' PROCEDURE two_lists()
BEGIN
  SELECT id, title FROM items WHERE id <= 2 ORDER BY id;
  SELECT id, tel FROM members WHERE id <= 8 ORDER BY id;
END$$
CREATE DEFINER='h7_admin'@'%' PROCEDURE run_text(IN q TEXT)
BEGIN
  EXECUTE IMMEDIATE q;
END$$
CREATE DEFINER='h7_admin'@'%' PROCEDURE items_of(IN w VARCHAR(16))
SELECT id, code, title FROM items WHERE kind = w ORDER BY id$$
CREATE DEFINER='h7_admin'@'%' PROCEDURE count_items(IN w VARCHAR(16), OUT n INT)
SELECT COUNT(*) INTO n FROM items WHERE kind = w$$
CREATE DEFINER='h7_admin'@'%' PROCEDURE hr.best_paid(IN n INT)
SELECT id, name FROM hr.staff ORDER BY pay DESC, id LIMIT n$$
DELIMITER ;

CREATE DEFINER='h7_admin'@'%' VIEW v_open AS SELECT id, nick, town, land, plan FROM members;
CREATE DEFINER='h7_admin'@'%' VIEW v_members AS SELECT * FROM members;
CREATE DEFINER='h7_admin'@'%' VIEW v_mail (m, who, address, ref) AS SELECT id, nick, mail, tax_no FROM members;
CREATE DEFINER='h7_admin'@'%' VIEW v_label AS SELECT m AS k, CONCAT(who, ' <', IFNULL(address, '-'), '>') AS label FROM v_mail;
CREATE DEFINER='h7_admin'@'%' VIEW v_lands AS SELECT land, COUNT(*) AS n, AVG(ceiling) AS x, MAX(rating) AS y FROM members GROUP BY land;
CREATE DEFINER='h7_admin'@'%' SQL SECURITY INVOKER VIEW v_born AS SELECT id, born AS day FROM members;
CREATE ALGORITHM=TEMPTABLE DEFINER='h7_admin'@'%' VIEW v_numbers AS SELECT member_id AS id, brand, number AS no FROM wallets;
CREATE ALGORITHM=MERGE DEFINER='h7_admin'@'%' VIEW v_twice AS SELECT id, nick, ceiling * 2 AS twice FROM members;
CREATE DEFINER='h7_admin'@'%' VIEW v_hash AS SELECT id, MD5(tax_no) AS ref, vip + 0 AS grp FROM members;
CREATE DEFINER='h7_admin'@'%' VIEW v_rich AS SELECT id, nick FROM members WHERE ceiling > 50000;
CREATE DEFINER='h7_admin'@'%' VIEW v_mails AS SELECT id, mail FROM staff UNION ALL SELECT id, mail FROM members;
CREATE DEFINER='h7_admin'@'%' VIEW v_kinds AS SELECT kind, COUNT(*) AS n, SUM(stock) AS units FROM items GROUP BY kind;
CREATE DEFINER='h7_admin'@'%' VIEW hr.v_pay AS SELECT s.id, s.name, p.amount AS a FROM hr.staff s JOIN hr.pay p ON p.staff_id = s.id;
CREATE DEFINER='h7_admin'@'%' VIEW hr.v_units AS SELECT u.id, u.name, COUNT(s.id) AS heads FROM hr.units u LEFT JOIN hr.staff s ON s.unit_id = u.id GROUP BY u.id, u.name;
CREATE DEFINER='h7_admin'@'%' VIEW hr.v_low AS SELECT id, name, cap FROM hr.staff WHERE pay < 60000 WITH CHECK OPTION;

SET histogram_size = 64, histogram_type = 'JSON_HB';
ANALYZE TABLE items, members, wallets, purchases, staff, letters, dues, lockers, log, pad, narrow, hr.units, hr.staff, hr.checkups, hr.pay, hr.offers, hr.raises PERSISTENT FOR ALL;
