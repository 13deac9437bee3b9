<?php
// PDO over mysqlnd: emulated and native prepared statements, an unbuffered result.
function observe($step, $value) { echo json_encode(['step' => $step, 'value' => $value]), "\n"; }

function connect($user, $password, $emulate) {
    $dsn = 'mysql:host=127.0.0.1' . ';port=' . getenv('E2E_PORT') . ';dbname=' . getenv('E2E_DATABASE') . ';charset=utf8mb4';
    return new PDO($dsn, $user, $password, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_EMULATE_PREPARES => $emulate,
        PDO::MYSQL_ATTR_SSL_CA => getenv('E2E_CA'), PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT => true]);
}

function rows($all) {
    return array_map(fn($row) => array_map(fn($v) => $v === null ? null : (is_float($v) ? number_format($v, 2, '.', '') : (string) $v), $row), $all);
}

function fetch($c, $sql, $args = []) {
    $s = $c->prepare($sql);
    $s->execute($args);
    return $s->fetchAll(PDO::FETCH_NUM);
}

function errno($c, $sql, $args = []) {
    try {
        fetch($c, $sql, $args);
    } catch (PDOException $e) {
        return [$e->errorInfo[1], $e->getMessage()];
    }
    return [0, 'no error'];
}

const PEOPLE = 'SELECT id, first_name, email, phone, birth_date, street, country, preferences, last_login_ip, created_at FROM customers WHERE id BETWEEN ? AND ? ORDER BY id';
const PAYMENT = 'SELECT id, card_number, cvv, iban, amount, paid_at FROM payments WHERE id = ?';
const SALARIES = 'SELECT id, full_name, ssn, salary, birth_date, hired_on FROM hr.employees WHERE id <= ? ORDER BY id';
const CONTACT = 'SELECT id, email FROM customers WHERE id = ?';
const DENIED = 'SELECT id FROM customers WHERE email = ?';

function read($c) {
    $people = fetch($c, PEOPLE, [15, 24]);
    observe('people', rows($people));
    observe('types', array_map('gettype', $people[0]));
    observe('payments', array_merge(rows(fetch($c, PAYMENT, [3])), rows(fetch($c, PAYMENT, [4]))));
    $salaries = fetch($c, SALARIES, [5]);
    observe('salaries', rows($salaries));
    observe('salary_sum', number_format(array_sum(array_column($salaries, 3)), 2, '.', ''));
    $c->setAttribute(PDO::MYSQL_ATTR_USE_BUFFERED_QUERY, false);
    observe('cursor', rows(fetch($c, 'SELECT id, email FROM customers ORDER BY id')));
    $c->setAttribute(PDO::MYSQL_ATTR_USE_BUFFERED_QUERY, true);
}

foreach ([true, false] as $emulate) {
    read(connect(getenv('E2E_USER'), getenv('E2E_PASSWORD'), $emulate));
}
$admin = connect(getenv('E2E_ADMIN'), getenv('E2E_ADMIN_PASSWORD'), false);
$admin->exec('CREATE TEMPORARY TABLE written (id int, price decimal(10,2), day date, doc json, word varchar(40), at datetime)');
$insert = $admin->prepare('INSERT INTO written VALUES (?, ?, ?, ?, ?, ?)');
$insert->execute([1, '12.50', '2020-02-29', '{"a": [1, null]}', "grüße 'x' \\", '2024-05-06 07:08:09']);
$insert->execute([2, null, null, null, null, null]);
observe('written', rows(fetch($admin, 'SELECT * FROM written ORDER BY id')));
if (getenv('E2E_WEIR') === '1') {
    $c = connect(getenv('E2E_USER'), getenv('E2E_PASSWORD'), false);
    [$code, $message] = errno($c, DENIED, ['david.huber1@example.org']);
    observe('denied', $code);
    observe('denied_message', $message);
    observe('alive', rows(fetch($c, 'SELECT 1')));
    observe('read_only', errno($c, 'UPDATE customers SET segment = ? WHERE id = ?', ['x', 1])[0]);
    $c->beginTransaction();
    errno($c, DENIED, ['x']);
    observe('in_transaction', rows(fetch($c, CONTACT, [1])));
    $c->rollBack();
    try {
        connect(getenv('E2E_USER'), 'wrong', true);
        observe('wrong_password', 'accepted');
    } catch (PDOException $e) {
        observe('wrong_password', $e->getCode());
    }
}
