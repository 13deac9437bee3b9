// Package audit is weir's audit trail: events as OCSF JSON lines in an
// append-only journal whose records are chained by SHA-256 and signed at
// intervals, so that a later change shows.
//
// Invariants:
//   - Append returns nil only when the record is as durable as
//     [Options].Durability says. Otherwise the caller must not go on with what
//     it wanted to record.
//   - A segment holds whole lines only, chained in sequence, whatever was
//     refused by the disk in between.
//   - Nothing is dropped in silence: what a crash tore, what is missing at start
//     and what retention removes are records of the journal themselves.
//
// The package knows nothing of frames, SQL dialects or policy: it writes down
// what it is given. It imports no other package of weir.
package audit
