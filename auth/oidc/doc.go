// Package oidc checks tokens of an OpenID provider that people and services give
// in the place of a password (OpenID Connect Core 1.0; RFC 7519, 8725, 9068).
//
//   - A token counts for one issuer, one of the configured audiences, one of the
//     configured algorithms, and its own time.
//   - Whoever sends bad tokens cannot make weir ask the provider again and again.
//   - A provider that does not answer is told apart from a token that is wrong.
//   - Tokens are in no error and no log.
//
// It does not know sessions, frames or the store.
package oidc
