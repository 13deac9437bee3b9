// Package deploy holds what runs weir and watches it: installer of the test
// tools, systemd unit, container file, Grafana dashboard and Prometheus rules.
// It has tests only: each file is read by the program that it is for, or by a
// test that knows its rules, and names only metrics that weir has.
package deploy
