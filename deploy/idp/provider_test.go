package idp

import (
	"strings"
	"testing"
)

func TestLiveProvider(t *testing.T) {
	p, err := StartProvider(t.Context(), "../..")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	tokens, err := p.Login(t.Context(), "weir", "ana")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(tokens.ID, ".") != 2 || strings.Count(tokens.Access, ".") != 2 {
		t.Errorf("%+v", tokens)
	}
	if tokens, err = p.Job(t.Context()); err != nil || strings.Count(tokens.Access, ".") != 2 {
		t.Errorf("%+v %v", tokens, err)
	}
	if err := p.Rotate(t.Context()); err != nil {
		t.Error(err)
	}
}
