// Package mysql turns statements of MySQL and MariaDB into query.Facts with
// TiDB's grammar, a Catalog of the server and the session's State.
//
// Invariant: facts over-approximate. A name that cannot be resolved, a node
// that is not known, a function that is not listed as safe leaves the
// statement incomplete or adds uses; it never removes any.
//
// The grammar is never given a client's letters. The package's own lexer cuts
// the text as the server of that kind and version does under the session's
// sql_mode and character set, unwraps executable comments, and prints each
// statement again in the one form that the grammar's lexer reads in the same
// way. What the two could read differently is refused as a gap. Positions in
// facts are those of the client's text.
//
// The package knows no frames and does no I/O except in Load, which reads the
// catalog through a connection that its owner gives it.
package mysql
