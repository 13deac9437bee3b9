package pgsession

import "testing"

func TestRevealingParameters(t *testing.T) {
	for options, want := range map[string]bool{
		"-c debug_print_plan=on":       true,
		"--debug-print-plan=on":        true,
		`-c Debug\_Print\_plan=1`:      true,
		"-c trace_sort=on":             true,
		"-c statement_timeout=4000":    false,
		"-c search_path=debug,print":   false,
		"-c application_name=no-trace": false,
	} {
		if got := revealing(settingName(options)); got != want {
			t.Errorf("%s: %v", options, got)
		}
	}
}
