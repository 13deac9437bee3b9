// Package pgserver starts throw-away PostgreSQL servers for the demo, the
// tests and the benchmarks: a private cluster in a temporary folder, on a free
// loopback port, with TLS and SCRAM, removed when it stops.
//
// It uses server programs that are already on the machine (see Find) and
// installs nothing. It is no part of the proxy.
package pgserver
