// Package upstream connects to a PostgreSQL server as a client: TLS, startup,
// authentication, up to the first ReadyForQuery, and cancel requests.
//
// Invariants: what verify-ca, verify-full and required channel binding promise
// holds or there is no connection; a password leaves only in a form that the
// configuration allows, and is in no error; a server that skips its own proof in
// SCRAM is refused; bytes that come in clear before TLS are refused.
//
// It knows nothing of sessions, policy or statements.
package upstream
