// Package store keeps weir's own state: users, groups, projects, the roles
// between them, and the feed of their changes. The store is one SQLite file
// without a server beside it, or a PostgreSQL database that several processes
// share: the same migrations and the same statements.
//
// Invariants:
//   - A change, its entry in the change feed and its record (Options.Record)
//     are one transaction: what cannot be recorded does not happen.
//   - A password is never stored. A verifier is text that this package does
//     not read, and that no formatting verb prints (Secret).
//   - LookupUser runs the same statements for a name that exists and for one
//     that does not.
//
// The package knows nothing of mechanisms, frames, SQL of clients, or policy.
package store
