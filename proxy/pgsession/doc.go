// Package pgsession carries one PostgreSQL connection through weir: startup,
// login, statements, rows, COPY, cancel, end.
//
// Two goroutines serve a session. The judge (session.go) reads the client,
// analyses, asks the gate and writes to the server. The relay (rows.go) reads
// the server and writes to the client. Between them lies a pure value, what the
// server still owes (state.go), which both consult under one mutex.
//
// Invariants:
//   - Nothing that the gate has not let pass is executed by the server.
//   - weir never answers in the server's place: a denied statement is replaced
//     by one that fails, and the failure's text by the denial. So order, effect
//     on the transaction and skipping are the server's own.
//   - A masked row is forwarded only if the server itself describes its columns
//     as the analysis did.
//   - Of a statement that reads masked columns, no text of the server's errors
//     and notices reaches the client.
//   - What a peer sends out of turn ends the session; nothing is guessed.
//
// The package knows nothing of Rego or of where events are written.
package pgsession
