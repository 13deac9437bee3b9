// Package secrets resolves references to secrets. A Ref is what configuration
// holds ("${env:SHOP_PASSWORD}"), a Value is what it stands for.
//
// Invariant: neither a Value nor an error shows a secret, whatever prints it.
//
// The package knows what secrets are called, not what they are for.
package secrets
