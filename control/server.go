package control

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Check is one condition of readiness.
type Check struct {
	Name string
	// Ready returns nil when the condition holds, or why it does not. The text
	// is shown to whoever asks: no secrets, no addresses.
	Ready func(context.Context) error
}

// Options make a Server.
type Options struct {
	Address string // host:port
	Metrics prometheus.Gatherer
	Checks  []Check
	Logger  *slog.Logger
}

// Server is the admin listener.
type Server struct {
	endpoint
	checks []Check
}

// checkTime bounds all readiness checks of one request.
const checkTime = 3 * time.Second

// Start listens and serves until Close.
func Start(ctx context.Context, o Options) (*Server, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("listen for metrics and health: %w", err)
	}
	s := &Server{checks: o.Checks}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, report{Status: "ok"}) })
	mux.HandleFunc("GET /readyz", s.ready)
	s.serve(listener, mux, o.Logger, slog.LevelWarn, "admin listener ended")
	return s, nil
}

type report struct {
	Status string            `json:"status"`
	Faults map[string]string `json:"faults,omitempty"`
}

func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), checkTime)
	defer cancel()
	faults := map[string]string{}
	for _, c := range s.checks {
		if err := c.Ready(ctx); err != nil {
			faults[c.Name] = err.Error()
		}
	}
	if len(faults) > 0 {
		reply(w, http.StatusServiceUnavailable, report{Status: "not ready", Faults: faults})
		return
	}
	reply(w, http.StatusOK, report{Status: "ready"})
}
