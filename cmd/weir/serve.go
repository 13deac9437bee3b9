package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/weirdb/weir/audit"
	"github.com/weirdb/weir/configs"
	"github.com/weirdb/weir/proxy"
)

func newServe() *cobra.Command {
	var path string
	cmd := &cobra.Command{Use: "serve", Short: "Run the proxy", Args: cobra.NoArgs,
		Long: `Serve runs the proxy until SIGTERM or SIGINT, then lets sessions finish
(limits.drain). SIGHUP reads policy and certificates again without dropping a
session, and says what of a changed configuration waits for a restart.`,
		Example: `  weir check --config weir.yaml && weir serve --config weir.yaml`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, faults, err := loadConfig(path)
			if err != nil {
				return err
			}
			if len(faults) > 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), faults.Error())
				return exitError(2)
			}
			return serve(cmd.Context(), path, config, newLogger(config, logOutput()))
		}}
	configFlag(cmd, &path)
	return cmd
}

// serve runs until ctx ends or a listener fails.
func serve(ctx context.Context, path string, config *configs.Config, log *slog.Logger) error {
	r, err := start(ctx, path, config, log)
	if err != nil {
		return err
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	var failure error
	for running := true; running; {
		select {
		case <-ctx.Done():
			running = false
		case failure = <-r.failed:
			running = false
		case <-hup:
			r.reload(ctx)
		}
	}
	log.Info("draining", "patience", config.Limits.Drain)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), config.Limits.Drain)
	defer cancel()
	return errors.Join(failure, r.close(drain))
}

// reload reads the configuration, the policy and the certificates again. What
// is faulty leaves what was there in force.
func (r *daemon) reload(ctx context.Context) {
	fresh := r.config
	if r.path != "" {
		config, err := configs.Load(r.path)
		if err != nil {
			r.log.Error("configuration is not reloaded", "error", err)
			r.record(&audit.Event{Kind: audit.KindConfigChange, Action: "reload_failed", Object: r.path, Message: err.Error()})
			return
		}
		fresh = config
	}
	if err := r.engine.Reload(ctx); err != nil {
		r.log.Error("policy is not reloaded", "error", err)
	}
	for i := range min(len(fresh.Listeners), len(r.listeners)) {
		if fresh.Listeners[i].Address == r.config.Listeners[i].Address {
			r.replaceCertificate(ctx, &fresh.Listeners[i], fresh, r.listeners[i].TLS)
		}
	}
	if fresh.Logins.Address == r.config.Logins.Address {
		r.replaceCertificate(ctx, loginListener(fresh), fresh, r.loginTLS)
	}
	restart := changedSections(r.config, fresh)
	r.record(&audit.Event{Kind: audit.KindConfigChange, Action: "reload", Object: r.path})
	r.log.Info("reloaded", "waits_for_restart", restart)
}

// replaceCertificate reads a listener's certificate again, if it has one.
func (r *daemon) replaceCertificate(ctx context.Context, l *configs.Listener, fresh *configs.Config, have *proxy.Certificates) {
	if have == nil {
		return
	}
	config, err := listenerTLS(ctx, l, fresh, r.resolver)
	if err == nil && config != nil {
		err = have.Replace(config)
	}
	if err != nil {
		r.log.Error("certificate is not reloaded", "listener", l.Address, "error", err)
	}
}

// changedSections names what differs between two configurations and is read
// at start only. Certificates are read on every reload.
func changedSections(before, after *configs.Config) []string {
	var changed []string
	for _, s := range []struct {
		name string
		a, b any
	}{
		{"state", before.State, after.State}, {"store", before.Store, after.Store}, {"listeners", addresses(before), addresses(after)}, {"datasources", before.Datasources, after.Datasources},
		{"policy", before.Policy, after.Policy}, {"masking", before.Masking, after.Masking}, {"audit", before.Audit, after.Audit},
		{"logins", [2]any{before.Logins.Address, before.Logins.Session}, [2]any{after.Logins.Address, after.Logins.Session}},
		{"auth", before.Auth, after.Auth}, {"secrets", before.Secrets, after.Secrets}, {"limits", before.Limits, after.Limits}, {"admin", before.Admin, after.Admin}, {"log", before.Log, after.Log},
	} {
		if fmt.Sprintf("%+v", s.a) != fmt.Sprintf("%+v", s.b) {
			changed = append(changed, s.name)
		}
	}
	return changed
}

func addresses(c *configs.Config) []string {
	out := make([]string, len(c.Listeners))
	for i, l := range c.Listeners {
		out[i] = l.Address
	}
	return out
}

// logOutput is standard error under a descriptor of its own: the C parser
// swaps descriptor 2 while it runs.
func logOutput() io.Writer {
	fd, err := syscall.Dup(2)
	if err != nil {
		return os.Stderr
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "standard error")
}

func newLogger(c *configs.Config, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Log.Level)) // validated
	options := &slog.HandlerOptions{Level: level}
	if c.Log.Format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}
