// Package pgsql turns PostgreSQL statements into query.Facts with PostgreSQL's
// own grammar, a Catalog of the database and the session's State.
//
// Invariant: facts over-approximate. A name that cannot be resolved, a node
// that is not known, a function that is not listed as safe leaves the
// statement incomplete or adds uses; it never removes any.
//
// The text passes a lexical gate (Admit) before the C parser sees it, because
// some short texts make that parser slow or overflow its stack.
//
// Rewrite turns a statement into one that sees constants and fewer rows. It
// edits the tree where the analyser's run found a relation, prints it, and
// trusts neither: the text must parse to the same tree, and its facts are
// those of its letters.
//
// The package knows no frames and does no I/O except in Loader, which reads
// the catalog through a connection that its owner gives it.
package pgsql
