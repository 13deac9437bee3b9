// Package corpus is weir's own measure of what leaks: the schema of a hospital
// group, a generator for its rows, and the cases that are run on it.
//
// Data writes two databases, sides a and b, that differ in the columns of
// protected.json and nowhere else: the same rows in the same physical order,
// unprotected values equal. A third, m, holds the constants that the masks
// "redact" and "null" show, in place of every protected value.
//
// The format of a case is that of its folder's JSON: a list of statements or
// steps as one analyst sends them. A case counts only if, sent directly, its
// answers differ between a and b. Cases are added, never removed.
//
// The package knows nothing of servers, connections or weir.
package corpus
