// Package weirserver starts throw-away weirs for tests and comparisons: a
// folder with configuration, policy and people, and the process of a binary.
//
// It knows nothing of what is tested. Everything that it starts dies with its
// process, even if that is killed.
package weirserver
