// Package mywire frames the MySQL client/server protocol (version 10, with
// protocol 4.1 packets) as MySQL 5.7 to 9 and MariaDB 10.6 to 11 speak it: it
// peeks, reads and forwards packets, gives views over their payloads, walks
// text and binary rows, and writes the packets that weir answers itself.
//
// Invariants: a length from a peer is bounded before anything is allocated,
// and memory grows only with bytes that have really come; nothing on the path
// of an unmasked row allocates or is decoded; a connection that waits for its
// next packet holds no large buffer; views point into the payload that they
// were made from and are valid as long as it is; bytes that arrive in clear
// before TLS starts are refused.
//
// A packet here is a logical one: a payload of any length, which travels in
// frames of up to 16 MiB - 1 bytes. Both directions of a connection share one
// sequence number that starts again with each command; Reader and Writer keep
// their sides of it, and the session carries it from one to the other:
//
//	h, err := in.PeekCommand()  // expects sequence 0
//	…
//	out.SetSeq(in.Seq())        // the reply goes on from there
//
// It knows nothing of sessions, SQL, policy or masks.
package mywire
