// Package upstream connects to a MySQL or MariaDB server as a client: greeting,
// TLS, login, authentication, up to the OK packet after which commands can be
// sent; and it kills what such a connection is running.
//
// Invariants: what verify-ca and verify-full promise holds or there is no
// connection; a password leaves only in a form that the configuration allows,
// and is in no error; a server's request for a file is refused; bytes that come
// in clear before TLS are refused.
//
// It knows nothing of sessions, policy or statements.
package upstream
