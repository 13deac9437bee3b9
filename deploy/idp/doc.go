// Package idp starts throw-away directories and identity providers for the
// tests: data in a temporary folder, on free loopback ports, with TLS, gone when
// they stop or when the starting process dies.
//
// It uses programs that are already on the machine (`make servers` installs
// them) and is no part of the proxy.
package idp
