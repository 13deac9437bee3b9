// Package random makes sessions of random SQL, runs each against two databases
// that differ only in protected values, and shrinks what comes back different.
//
// A Catalog says what the databases hold and which columns are protected. A
// Generator turns a seed into Sessions: the same seed and catalog give the same
// text. A Runner sends every step of a session to both sides at once and
// compares all bytes of the answers, short of process ids. A session that
// differs is repeated, then made as small as it can be while it still differs.
//
// Random statements prove nothing where weir refuses them all, so a session
// has a manner: plain selects protected columns by their names and computes
// with the others only, sneaky lets them occur anywhere, clean reads none.
// Summary says how many statements the server accepts, how many weir lets
// through, and how often each construct occurred.
//
// The order of rows. Without ORDER BY the order follows the plan, and a plan
// follows statistics, also those of protected columns, and sizes of tables, in
// which lengths of values show. docs/limits.md excepts that order. Blind makes
// the planner see the same on both sides: no statistics of protected columns,
// pages without a price, no parallel workers, one way to join. After a write
// in the same session the places of new row versions depend on lengths
// of values as well; there, rows are compared as a set.
//
// The package knows nothing of weir: how to reach a side is its caller's.
package random
