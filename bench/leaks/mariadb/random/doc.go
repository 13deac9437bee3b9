// Package random makes sessions of random statements for MariaDB and makes them
// smaller. A Catalog says what the databases hold and which columns differ
// between the sides; the same seed and catalog give the same sessions.
//
// MariaDB converts any value to any type, so expressions have no types here. A
// session has a manner, as those for PostgreSQL have: plain selects protected
// columns by their names and computes with others, sneaky lets them occur
// anywhere, clean reads none.
//
// Statements are trees, which Reductions makes smaller without reading SQL. The
// package neither knows how a side is reached nor what comes back.
package random
