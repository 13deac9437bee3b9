// Package auth says who somebody is: it runs the mechanisms by which a client
// proves a name and returns an Identity.
//
// Invariants:
//   - Whatever goes wrong in a login, the client is told the same sentence
//     (Failure.Public); the cause is for the log.
//   - A name that does not exist, is disabled or has no password takes the same
//     steps as one with a wrong password: the same lookups, the same number of
//     hash computations, the same message shapes.
//   - Passwords and verifiers are never logged and never part of an error.
//
// The package knows the payloads of mechanisms. It knows nothing of frames: a
// session carries the payloads in its protocol's own messages.
package auth
