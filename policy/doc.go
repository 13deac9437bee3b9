// Package policy decides what a statement may do. It embeds OPA, asks it for
// data.weir.decision once per statement, and ships a data-driven policy so that
// most teams write YAML and no Rego.
//
// Invariants:
//
//   - Fail closed. An undefined decision is a denial; an unknown field in a
//     decision, an evaluation error and a missed deadline are errors that a
//     caller must treat as a denial. A new policy that does not load leaves the
//     old one in force.
//   - A decision depends on the input and on the loaded policy alone: built-ins
//     that reach the network, the clock, chance or the process are not there.
//     This is what makes a cached decision equal to a fresh one.
//   - A cached decision is shared only between inputs that agree on every path
//     that the loaded policy is able to read.
//
// The package knows no frames and no SQL text. The names of classes and uses in
// its input are those of package query.
package policy
