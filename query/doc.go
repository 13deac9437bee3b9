// Package query is the vocabulary that statement analysis, policy and the
// wire share: what a statement does (Facts), which columns it reads and how
// (ColumnUse), and where every result column comes from (Output).
//
// The vocabulary knows no SQL dialect; query/pgsql produces it. Its one rule:
// facts over-approximate. Whatever cannot be shown is assumed; what cannot be
// read at all leaves Facts.Complete false with a Gap that says why.
package query
