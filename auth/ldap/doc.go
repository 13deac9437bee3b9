// Package ldap asks a directory whether a password is right, and for the
// person's groups: OpenLDAP, Active Directory and their kin.
//
//   - A password leaves weir over verified TLS only, and never an empty one: a
//     directory takes a bind without a password for an anonymous one and says yes.
//   - What a client gives reaches filters and names escaped.
//   - An unknown name costs the same as a wrong password.
//   - Every wait ends with the login's time; every answer is bounded.
//
// It does not know sessions, frames or the store.
package ldap
