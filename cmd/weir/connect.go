package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirdb/weir/control"
)

func newConnectCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "connect DATASOURCE [-- ARGUMENT …]",
		Short: "Start psql or the mysql client by the last login",
		Long: `Start the client of a datasource's protocol, psql or mariadb (or mysql), with the password
of the last weir login that reaches it. What follows -- goes to the client.` + exitCodesHelp,
		Example: `  weir connect shop
  weir connect shop -- -c 'SELECT count(*) FROM customers'`,
		Args: reporting(func(_ *cobra.Command, args []string) error {
			if len(args) < 1 {
				return &usageError{errors.New("name a datasource")}
			}
			return nil
		}),
		RunE: reporting(func(cmd *cobra.Command, args []string) error {
			session, place, err := reachable(args[0])
			if err != nil {
				return err
			}
			program, err := session.client(cmd.Context(), place, args[1:])
			if err != nil {
				return err
			}
			program.Stdin, program.Stdout, program.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			err = program.Run()
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				return exitError(exit.ExitCode())
			}
			return err
		}),
	}
}

// reachable is the newest login that reaches a datasource.
func reachable(datasource string) (*loginSession, *control.Place, error) {
	sessions, err := loadSessions()
	if err != nil {
		return nil, nil, err
	}
	for i := range sessions {
		for j := range sessions[i].Places {
			if p := &sessions[i].Places[j]; p.Datasource == datasource {
				return &sessions[i], p, nil
			}
		}
	}
	return nil, nil, fmt.Errorf("no login reaches %q now; weir login first", datasource)
}

// client is the database client for a place. The password is in its environment,
// which the operating system shows to nobody else.
func (s *loginSession) client(ctx context.Context, p *control.Place, args []string) (*exec.Cmd, error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return nil, err
	}
	host, port := u.Hostname(), strconv.Itoa(p.Port)
	if p.Protocol == protocolPostgres {
		cmd := exec.CommandContext(ctx, "psql", args...)
		cmd.Env = append(os.Environ(), "PGHOST="+host, "PGPORT="+port, "PGDATABASE="+p.Database, "PGUSER="+p.User, "PGPASSWORD="+s.Password, "PGSSLMODE=verify-full")
		if s.CA != "" {
			cmd.Env = append(cmd.Env, "PGSSLROOTCERT="+s.CA)
		}
		return cmd, nil
	}
	program, err := exec.LookPath("mariadb")
	if err != nil {
		if program, err = exec.LookPath("mysql"); err != nil {
			return nil, errors.New("neither mariadb nor mysql is installed")
		}
	}
	own := []string{"--protocol=tcp", "--host=" + host, "--port=" + port, "--user=" + p.User, "--ssl", "--ssl-verify-server-cert"}
	if s.CA != "" {
		own = append(own, "--ssl-ca="+s.CA)
	}
	cmd := exec.CommandContext(ctx, program, append(own, args...)...)
	cmd.Env = append(os.Environ(), "MYSQL_PWD="+s.Password)
	return cmd, nil
}

func newLogoutCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "logout",
		Short:   "End all logins, and the passwords that they gave",
		Long:    `Revoke the passwords that weir login got, with the sessions that use them, and forget them.` + exitCodesHelp,
		Example: `  weir logout`,
		Args:    arguments(0),
		RunE: reporting(func(cmd *cobra.Command, _ []string) error {
			sessions, err := loadSessions()
			if err != nil {
				return err
			}
			var failed []error
			left := slices.DeleteFunc(sessions, func(s loginSession) bool {
				err := s.revoke(cmd.Context())
				if err != nil {
					failed = append(failed, fmt.Errorf("%s: %w; the password counts until %s", s.URL, err, s.ExpiresAt.Local().Format(time.DateTime)))
				}
				return err == nil
			})
			return errors.Join(append(failed, writeSessions(left))...)
		}),
	}
}

func (s *loginSession) revoke(ctx context.Context) error {
	client, err := httpsClient(s.CA)
	if err != nil {
		return err
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		return err
	}
	var done map[string]string
	return call(ctx, client, u.JoinPath("v1/sessions/revoke").String(), control.Request{User: s.User, Password: s.Password}, &done)
}
