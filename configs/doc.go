// Package configs reads weir's configuration: one strict YAML file.
//
// Invariants: an unknown key is an error with its line; all faults of a file
// are reported at once, each with the way to mend it; a literal secret is
// refused in the production profile; nothing here prints a secret.
//
// Only cmd imports it: every other package has options of its own.
package configs
