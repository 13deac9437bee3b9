# DBD::mysql or DBD::MariaDB, by the first argument: literals in the text, server-side prepared statements, a streamed result.
use strict;
use warnings;
use utf8;
use DBI;
use JSON::PP;

my $driver = shift;
my $p = $driver eq 'MariaDB' ? 'mariadb' : 'mysql';
my $json = JSON::PP->new->canonical->ascii->allow_nonref;
$| = 1;
sub observe { my ($step, $value) = @_; print $json->encode({step => $step, value => $value}), "\n" }

sub connect_as {
    my ($user, $password, %more) = @_;
    my $encoding = $p eq 'mysql' ? ';mysql_enable_utf8mb4=1' : '';
    # DBD::mysql of Debian is built on a library that it thinks cannot enforce TLS; the server does.
    my $optional = $p eq 'mysql' ? ';mysql_ssl_optional=1' : '';
    return DBI->connect("dbi:$driver:host=127.0.0.1;port=$ENV{E2E_PORT};database=$ENV{E2E_DATABASE}$encoding;" .
        "${p}_ssl=1$optional;${p}_ssl_ca_file=$ENV{E2E_CA};${p}_ssl_verify_server_cert=1", $user, $password,
        {RaiseError => 0, PrintError => 0, AutoCommit => 1, %more});
}

sub text { [map { [map { defined $_ ? "$_" : undef } @$_] } @{$_[0]}] }

sub fetch {
    my ($dbh, $sql, @args) = @_;
    my $sth = $dbh->prepare($sql) or return undef;
    $sth->execute(@args) or return undef;
    return text($sth->fetchall_arrayref);
}

sub errno {
    my ($dbh, $sql, @args) = @_;
    my $sth = $dbh->prepare($sql);
    return (0, 'no error') if $sth && $sth->execute(@args);
    return ($dbh->err + 0, $dbh->errstr);
}

my $people = 'SELECT id, first_name, email, phone, birth_date, street, country, preferences, last_login_ip, created_at
              FROM customers WHERE id BETWEEN ? AND ? ORDER BY id';
my $payment = 'SELECT id, card_number, cvv, iban, amount, paid_at FROM payments WHERE id = ?';
my $salaries = 'SELECT id, full_name, ssn, salary, birth_date, hired_on FROM hr.employees WHERE id <= ? ORDER BY id';
my $contact = 'SELECT id, email FROM customers WHERE id = ?';
my @denied = ('SELECT id FROM customers WHERE email = ?', 'david.huber1@example.org');

sub read_all {
    my ($dbh, $streamed) = @_;
    my $sth = $dbh->prepare($people);
    $sth->execute(15, 24) or die $dbh->errstr;
    observe(types => [map { defined $_ ? "$_" : undef } @{$sth->{TYPE}}]);
    observe(people => text($sth->fetchall_arrayref));
    my $prepared = $dbh->prepare($payment);
    my @payments;
    for my $id (3, 4) { $prepared->execute($id); push @payments, @{text($prepared->fetchall_arrayref)} }
    observe(payments => \@payments);
    my $rows = fetch($dbh, $salaries, 5);
    observe(salaries => $rows);
    my $sum = 0;
    $sum += $_->[3] for @$rows;
    observe(salary_sum => sprintf '%.2f', $sum);
    my $stream = $dbh->prepare('SELECT id, email FROM customers ORDER BY id', {"${p}_use_result" => $streamed});
    $stream->execute;
    observe(cursor => text($stream->fetchall_arrayref));
}

my @modes = ({}, {"${p}_server_prepare" => 1});
for my $mode (@modes) {
    my $dbh = connect_as(@ENV{qw(E2E_USER E2E_PASSWORD)}, %$mode) or die DBI->errstr;
    read_all($dbh, $p eq 'mysql' && !%$mode ? 1 : 0); # the others do not stream
    $dbh->disconnect;
}
my $dbh = connect_as(@ENV{qw(E2E_USER E2E_PASSWORD)}, %{$modes[1]}) or die DBI->errstr;
my $admin = connect_as(@ENV{qw(E2E_ADMIN E2E_ADMIN_PASSWORD)}, %{$modes[1]}) or die DBI->errstr;
$admin->do('CREATE TEMPORARY TABLE written (id int, price decimal(10,2), day date, word varchar(40), at datetime)') or die $admin->errstr;
my $insert = $admin->prepare('INSERT INTO written VALUES (?, ?, ?, ?, ?)');
$insert->execute(1, '12.50', '2020-02-29', "grüße 'x' \\", '2024-05-06 07:08:09') or die $admin->errstr;
$insert->execute(2, (undef) x 4) or die $admin->errstr;
observe(written => fetch($admin, 'SELECT * FROM written ORDER BY id'));
if ($ENV{E2E_WEIR} eq '1') {
    my ($code, $message) = errno($dbh, @denied);
    observe(denied => $code);
    observe(denied_message => $message);
    observe(alive => fetch($dbh, 'SELECT 1'));
    observe(read_only => (errno($dbh, 'UPDATE customers SET segment = ? WHERE id = ?', 'x', 1))[0]);
    $dbh->begin_work;
    errno($dbh, @denied);
    observe(in_transaction => fetch($dbh, $contact, 1));
    $dbh->rollback;
    my $wrong = connect_as($ENV{E2E_USER}, 'wrong');
    observe(wrong_password => $wrong ? 'accepted' : DBI->err + 0);
}
$_->disconnect for $dbh, $admin;
