// Package mysession carries one MySQL or MariaDB connection through weir:
// handshake, login, statements, rows, cancel, end.
//
// One goroutine serves a session, because the protocol is one of questions and
// answers: a command is read (session.go), analysed and judged (statements.go,
// prepared.go), sent, and its reply relayed (rows.go). What may come next in a
// reply is a pure value (state.go).
//
// Invariants:
//   - Nothing that the gate has not let pass reaches the server.
//   - The server is given one statement at a time, and its connection does not
//     allow several: a text of many is cut, and each part analysed as it is sent.
//   - A denial is an ERR packet where the server's would stand. MySQL's errors
//     undo their statement alone, so nothing else has to follow.
//   - A masked row is forwarded only if the server itself describes its columns
//     as the analysis did.
//   - Of a statement that reads masked columns, no text of the server's errors,
//     warnings and infos reaches the client.
//   - The server gets a file of the client only if the client's own statement
//     offers one.
//   - What a peer sends out of turn ends the session; nothing is guessed.
//
// The package knows nothing of Rego or of where events are written.
package mysession
