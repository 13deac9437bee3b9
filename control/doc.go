// Package control serves what operators and their monitoring ask of a running
// weir over HTTP: metrics, liveness and readiness. It knows no frames.
package control
