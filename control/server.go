package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
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
	http     *http.Server
	listener net.Listener
	checks   []Check
	wg       sync.WaitGroup
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
	s := &Server{listener: listener, checks: o.Checks}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, report{Status: "ok"}) })
	mux.HandleFunc("GET /readyz", s.ready)
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn)}
	s.wg.Add(1)
	go func() { // ends by Close
		defer s.wg.Done()
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			o.Logger.Error("admin listener ended", "error", err)
		}
	}()
	return s, nil
}

// Address is where the server listens.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Close ends the listener and waits for requests under way, until ctx ends.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	s.wg.Wait()
	return err
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
		answer(w, http.StatusServiceUnavailable, report{Status: "not ready", Faults: faults})
		return
	}
	answer(w, http.StatusOK, report{Status: "ready"})
}

func answer(w http.ResponseWriter, status int, r report) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(r) // the client is gone: nothing to do
}
