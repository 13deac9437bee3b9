# DBD::Pg: server-side prepared statements, SQL cursors, COPY both ways, savepoints, cancel by an alarm.
use strict;
use warnings;
use utf8;
use DBI;
use DBD::Pg qw(:pg_types);
use JSON::PP;
use POSIX ();

my $json = JSON::PP->new->canonical->ascii->allow_nonref;
$| = 1;
sub observe { my ($step, $value) = @_; print $json->encode({step => $step, value => $value}), "\n" }

sub connect_as {
    my ($user, $password) = @_;
    return DBI->connect("dbi:Pg:host=$ENV{PGHOST};port=$ENV{PGPORT};dbname=$ENV{PGDATABASE};sslmode=verify-full;sslrootcert=$ENV{PGSSLROOTCERT}",
        $user, $password, {RaiseError => 0, PrintError => 0, AutoCommit => 1, pg_server_prepare => 1, pg_switch_prepared => 1});
}

# Numbers, dates and json come as text; instants are made UTC.
sub cells {
    my ($sth, $all) = @_;
    my $types = $sth->{pg_type};
    for my $row (@$all) {
        for my $i (0 .. $#$row) {
            next unless defined $row->[$i];
            if ($types->[$i] eq 'timestamptz') { $row->[$i] =~ s/ /T/; $row->[$i] =~ s/\+00$/Z/ }
            elsif ($types->[$i] =~ /json/) { $row->[$i] = $json->encode($json->decode($row->[$i])) }
            elsif ($types->[$i] eq 'bytea') { $row->[$i] = unpack 'H*', $row->[$i] }
            else { $row->[$i] = "$row->[$i]" }
        }
    }
    return $all;
}

sub fetch {
    my ($dbh, $sql, @args) = @_;
    my $sth = $dbh->prepare($sql);
    $sth->execute(@args) or return undef;
    return cells($sth, $sth->fetchall_arrayref);
}

sub sqlstate {
    my ($dbh, $sql, @args) = @_;
    my $sth = $dbh->prepare($sql);
    return ('', 'no error') if $sth && $sth->execute(@args);
    return ($dbh->state, $dbh->errstr);
}

my $people = 'SELECT id, first_name, email, phone, birth_date, street, country, preferences, last_login_ip, created_at
              FROM customers WHERE id BETWEEN ? AND ? ORDER BY id';
my $payment = 'SELECT id, card_number, cvv, iban, amount, paid_at FROM payments WHERE id = ?';
my $salaries = 'SELECT id, full_name, ssn, salary, birth_date, hired_on FROM hr.employees WHERE id <= ? ORDER BY id';
my $contact = 'SELECT id, email FROM customers WHERE id = ?';
my @denied = ('SELECT id FROM customers WHERE email = ?', 'david.huber1@example.org');

sub read_all {
    my ($dbh) = @_;
    my $sth = $dbh->prepare($people);
    $sth->execute(15, 24);
    observe(types => [@{$sth->{pg_type}}]);
    observe(people => cells($sth, $sth->fetchall_arrayref));
    my $prepared = $dbh->prepare($payment);
    my @payments;
    for my $id (3, 4) { $prepared->execute($id); push @payments, @{cells($prepared, $prepared->fetchall_arrayref)} }
    observe(payments => \@payments);
    my $rows = fetch($dbh, $salaries, 5);
    observe(salaries => $rows);
    my $sum = 0;
    $sum += $_->[3] for @$rows;
    observe(salary_sum => sprintf '%.2f', $sum);
    $dbh->begin_work;
    $dbh->do('DECLARE everybody CURSOR FOR SELECT id, email FROM customers ORDER BY id');
    my @all;
    while (my $part = fetch($dbh, 'FETCH 100 FROM everybody')) { last unless @$part; push @all, @$part }
    $dbh->commit;
    observe(cursor => \@all);
    $dbh->do('COPY (SELECT id, email, phone, birth_date FROM customers WHERE id <= 30 ORDER BY id) TO STDOUT');
    my (@copied, $line);
    while ($dbh->pg_getcopydata($line) >= 0) { chomp $line; push @copied, [map { $_ eq '\N' ? undef : $_ } split /\t/, $line] }
    observe(copy => \@copied);
}

sub write_all {
    my ($admin) = @_;
    $admin->do('CREATE TEMPORARY TABLE written (id int, price numeric(10,2), day date, doc jsonb, address inet, word text, bytes bytea, at timestamptz)');
    my $sth = $admin->prepare('INSERT INTO written VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
    $sth->bind_param(7, undef, {pg_type => PG_BYTEA});
    $sth->execute(1, '12.50', '2020-02-29', '{"a": [1, null]}', '10.1.2.3', "grüße 'x' \\", "\0\xff", '2024-05-06 07:08:09+00') or die $admin->errstr;
    $sth->execute(2, (undef) x 7) or die $admin->errstr;
    $admin->do('COPY written (id, word) FROM STDIN');
    $admin->pg_putcopydata("3\tthree\n");
    $admin->pg_putcopydata("4\t\\N\n");
    $admin->pg_putcopyend;
    observe(written => fetch($admin, 'SELECT id, price, day, doc, address, word, bytes, at FROM written ORDER BY id'));
    $admin->do('LISTEN told');
    $admin->do(q{NOTIFY told, 'news'});
    my $n = $admin->pg_notifies;
    observe(notified => [[$n->[0], $n->[2]]]);
}

sub refused {
    my ($dbh) = @_;
    my ($code, $message) = sqlstate($dbh, @denied);
    observe(denied => $code);
    observe(denied_message => $message);
    observe(alive => fetch($dbh, 'SELECT 1'));
    observe(read_only => (sqlstate($dbh, 'UPDATE customers SET segment = ? WHERE id = ?', 'x', 1))[0]);
    $dbh->begin_work;
    sqlstate($dbh, @denied);
    observe(aborted => (sqlstate($dbh, 'SELECT 1'))[0]);
    $dbh->rollback;
    observe(rolled_back => fetch($dbh, $contact, 1));
    $dbh->begin_work;
    $dbh->pg_savepoint('s');
    sqlstate($dbh, @denied);
    $dbh->pg_rollback_to('s');
    observe(savepoint => fetch($dbh, $contact, 2));
    $dbh->commit;
}

sub cancel {
    my ($admin) = @_;
    my $sth = $admin->prepare('SELECT pg_sleep(60)', {pg_async => DBD::Pg::PG_ASYNC()});
    my $began = time;
    $sth->execute;
    select undef, undef, undef, 0.5;
    $admin->pg_cancel;
    observe(cancelled => $admin->state);
    observe(cancelled_soon => time - $began < 20 ? JSON::PP::true : JSON::PP::false);
    observe(alive_after_cancel => fetch($admin, 'SELECT 1'));
}

my $dbh = connect_as(@ENV{qw(PGUSER PGPASSWORD)}) or die DBI->errstr;
my $admin = connect_as(@ENV{qw(E2E_ADMIN E2E_ADMIN_PASSWORD)}) or die DBI->errstr;
$_->do(q{SET TIME ZONE 'UTC'}) or die $_->errstr for $dbh, $admin;
read_all($dbh);
write_all($admin);
if ($ENV{E2E_WEIR} eq '1') {
    refused($dbh);
    cancel($admin);
    my $wrong = connect_as($ENV{PGUSER}, 'wrong');
    observe(wrong_password => $wrong ? 'accepted' : DBI->errstr);
}
$_->disconnect for $dbh, $admin;
