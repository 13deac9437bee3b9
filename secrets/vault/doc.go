// Package vault reads secrets over the HTTP API of HashiCorp Vault and
// OpenBao: key/value engines of both versions, and dynamic credentials with
// their leases.
//
// Invariant: a token or secret is sent to the configured server only, and
// stands in no error.
//
// The package does not know what secrets are for.
package vault
