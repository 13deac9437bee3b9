package control

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// endpoint is an HTTP server on a listener, whose requests are bounded.
type endpoint struct {
	http     *http.Server
	listener net.Listener
	wg       sync.WaitGroup
}

// serve begins to serve, until Close. Faults of clients are logged at a level.
func (s *endpoint) serve(listener net.Listener, handler http.Handler, log *slog.Logger, faults slog.Level, ended string) {
	s.listener = listener
	s.http = &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), faults)}
	s.wg.Add(1)
	go func() { // ends by Close
		defer s.wg.Done()
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error(ended, "error", err)
		}
	}()
}

// Address is where the server listens.
func (s *endpoint) Address() string { return s.listener.Addr().String() }

// Close ends the listener and waits for requests under way, until ctx ends.
func (s *endpoint) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	s.wg.Wait()
	return err
}

// reply writes JSON that nobody keeps.
func reply(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the client is gone, then
}
