package policy

import (
	"bytes"
	"context"
	"testing"
)

// TestShippedRego runs the shipped policy's own tests and asks for full coverage.
func TestShippedRego(t *testing.T) {
	report, err := RunTests(context.Background(), Options{}, TestOptions{Coverage: true})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := report.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if report.ExitCode() != ExitOK || report.Passed < 40 || report.Coverage.Percent < 98 {
		t.Errorf("shipped policy:\n%s", text.String())
	}
}
