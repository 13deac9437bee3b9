// Package gate is the one place that orders what happens to a statement
// before it goes upstream: facts, read-only rule, policy, journal. A session
// gives it a statement and gets a Ticket, or a Denial that explains itself.
//
// Invariants: nothing is forwarded without a Ticket; the read-only rule cannot
// be overridden by policy; the intent is in the journal before a Ticket is
// given; every failure is a Denial.
//
// It knows no frames and no SQL dialect.
package gate
