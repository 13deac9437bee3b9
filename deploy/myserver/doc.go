// Package myserver starts throw-away MariaDB servers for the demo, the tests
// and the benchmarks: a data folder of its own in a temporary folder, on a free
// loopback port and a socket, with TLS and accounts of native password and
// ed25519, removed when it stops or when the starting process dies.
//
// It uses server programs that are already on the machine (see Find) and
// installs nothing. It is no part of the proxy.
package myserver
