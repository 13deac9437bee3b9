package weirserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/weirdb/weir/deploy/ports"
)

// Options say what to start.
type Options struct {
	Binary   string // of weir
	Folder   string // for configuration, state and log; made if it is not there
	Protocol string // of the listener: postgresql if empty, or mysql
	// Listener is the listener's tls section, such as "self_signed: true".
	Listener string
	// Datasources is the section of that name, and More what follows it, in YAML.
	Datasources, More string
	Policy            map[string]string // files by name
	Groups            []string
	People            []Person
	Env               []string // in addition to the own
	// Unready does not wait for what weir waits for, such as definitions of the
	// databases, but for its listener alone.
	Unready bool
}

// Person may log in.
type Person struct {
	Name, Group string
	Password    string // empty: by certificate only
}

// Server is a running weir.
type Server struct {
	Port   int    // of the listener, on 127.0.0.1
	CAFile string // a self-signed certificate
	Log    string // its log's file

	folder string
	weir   *exec.Cmd
	exited chan struct{}
}

const configuration = `profile: development
state: %[1]s/state
listeners:
  - address: 127.0.0.1:%[2]d
    protocol: %[7]s
    tls: {%[3]s}
datasources:
%[4]sadmin: {address: "127.0.0.1:%[5]d"}
policy: {folder: %[1]s/policy}
%[6]s`

// Start writes the folder, starts weir and waits until it is ready. The caller
// stops it.
func Start(ctx context.Context, o Options) (*Server, error) {
	free, err := ports.Free(2)
	if err != nil {
		return nil, err
	}
	s := &Server{Port: free[0], CAFile: filepath.Join(o.Folder, "state", "server.crt"), Log: filepath.Join(o.Folder, "weir.log"),
		folder: o.Folder, exited: make(chan struct{})}
	config := filepath.Join(o.Folder, "weir.yaml")
	if o.Protocol == "" {
		o.Protocol = "postgresql"
	}
	err = errors.Join(os.RemoveAll(filepath.Join(o.Folder, "state")), os.RemoveAll(filepath.Join(o.Folder, "policy")),
		os.MkdirAll(filepath.Join(o.Folder, "policy"), 0o755),
		os.WriteFile(config, fmt.Appendf(nil, configuration, o.Folder, free[0], o.Listener, o.Datasources, free[1], o.More, o.Protocol), 0o600))
	for name, text := range o.Policy {
		file := filepath.Join(o.Folder, "policy", name)
		err = errors.Join(err, os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644))
	}
	if err != nil {
		return nil, err
	}
	if err := addPeople(ctx, o, config); err != nil {
		return nil, err
	}
	if err := s.launch(o, config); err != nil {
		return nil, err
	}
	if err := s.waitReady(ctx, free[1], o.Unready); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func addPeople(ctx context.Context, o Options, config string) error {
	var commands [][]string // what to type, and arguments
	for _, g := range o.Groups {
		commands = append(commands, []string{"", "group", "add", g})
	}
	for _, p := range o.People {
		how := "--password-stdin"
		if p.Password == "" {
			how = "--no-password"
		}
		commands = append(commands, []string{p.Password, "user", "add", p.Name, "--group", p.Group, how})
	}
	for _, c := range commands {
		cmd := exec.CommandContext(ctx, o.Binary, append(c[1:], "--config", config)...)
		cmd.Env = append(os.Environ(), o.Env...)
		cmd.Stdin = strings.NewReader(c[0] + "\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("weir %s: %w: %s", strings.Join(c[1:], " "), err, out)
		}
	}
	return nil
}

func (s *Server) launch(o Options, config string) error {
	log, err := os.Create(s.Log)
	if err != nil {
		return err
	}
	defer log.Close()
	s.weir = exec.Command(o.Binary, "serve", "--config", config)
	s.weir.Env = append(os.Environ(), o.Env...)
	s.weir.Stdout, s.weir.Stderr = log, log
	s.weir.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := s.weir.Start(); err != nil {
		s.weir = nil
		return err
	}
	go func() { // ends with the process; Stop waits for it
		defer close(s.exited)
		_ = s.weir.Wait()
	}()
	return nil
}

func (s *Server) waitReady(ctx context.Context, port int, unready bool) error {
	client := http.Client{Timeout: 5 * time.Second}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		r, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz", port))
		if err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK || unready {
				return nil
			}
		}
		select {
		case <-s.exited:
			text, _ := os.ReadFile(s.Log)
			return fmt.Errorf("weir ended: %s", text)
		case <-ctx.Done():
			return fmt.Errorf("weir is not ready after 30 s; its log is %s", s.Log)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Exited is closed when the process has ended.
func (s *Server) Exited() <-chan struct{} { return s.exited }

// Stop ends weir and removes its state. Later calls do nothing.
func (s *Server) Stop() {
	if s.weir == nil {
		return
	}
	_ = s.weir.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(15 * time.Second):
		_ = s.weir.Process.Kill()
		<-s.exited
	}
	s.weir = nil
	_ = os.RemoveAll(filepath.Join(s.folder, "state"))
}
