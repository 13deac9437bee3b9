package control_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/weirdb/weir/control"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEndpoints(t *testing.T) {
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "weir_test_total", Help: "A test."})
	registry.MustRegister(counter)
	var fault error
	s, err := control.Start(context.Background(), control.Options{Address: "127.0.0.1:0", Metrics: registry, Logger: slog.New(slog.DiscardHandler),
		Checks: []control.Check{{Name: "journal", Ready: func(context.Context) error { return fault }}}})
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(method, path string) (int, string) {
		t.Helper()
		request, err := http.NewRequest(method, "http://"+s.Address()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
	for _, c := range []struct {
		method, path string
		fault        error
		status       int
		body         string
	}{
		{"GET", "/healthz", errors.New("disk full"), 200, `"ok"`},
		{"GET", "/readyz", nil, 200, `"ready"`},
		{"GET", "/readyz", errors.New("disk full"), 503, `"journal":"disk full"`},
		{"GET", "/metrics", nil, 200, "weir_test_total 0"},
		{"POST", "/metrics", nil, 405, ""},
		{"GET", "/", nil, 404, ""},
	} {
		fault = c.fault
		if status, body := get(c.method, c.path); status != c.status || !strings.Contains(body, c.body) {
			t.Errorf("%s %s: %d %s, want %d with %s", c.method, c.path, status, body, c.status, c.body)
		}
	}
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := client.Get("http://" + s.Address() + "/healthz"); err == nil {
		t.Error("it still answers after Close")
	}
}
