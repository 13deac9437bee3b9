// Package proxy is the server around the sessions: it listens, bounds how many
// connections there are, knows which sessions live and how to end or cancel
// them, and drains them when it stops.
//
// Invariants: every connection ends for one EndReason, which the log, the
// metrics and the client's message share; a cancel key reaches the session that
// it was made for and no other; a panic in one connection ends that one only.
//
// It knows no SQL and no frames: a Handler serves the connections of a protocol.
package proxy
