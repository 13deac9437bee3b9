// Package pgwire frames the PostgreSQL protocol, versions 3.0 to 3.2: it
// peeks, reads and forwards messages, gives views over their bodies, walks
// rows and COPY data, and writes the messages that weir answers itself.
//
// Invariants: a length from a peer is bounded before anything is allocated;
// nothing on the path of an unmasked row allocates or is decoded; a connection
// that waits for its next message holds no large buffer; views point into the
// body that they were made from and are valid as long as it is; bytes that
// arrive in clear before TLS starts are refused.
//
// It knows nothing of sessions, SQL, policy or masks.
package pgwire
