// Package mariadb runs the leak suite on MariaDB: the cases of a corpus, in
// the text protocol and as prepared statements, directly and through weir, on
// two servers that differ only in protected values.
//
// docs/leaks.md says what is measured. The package knows PostgreSQL's runner
// not; both give the same kinds of results.
package mariadb
