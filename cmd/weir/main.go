// Command weir is a database proxy that enforces policy on the wire.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// exitError ends the process with a status; what there was to say has been said.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRoot().ExecuteContext(ctx)
	stop()
	var exit exitError
	switch {
	case errors.As(err, &exit):
		os.Exit(int(exit))
	case err != nil:
		fmt.Fprintf(os.Stderr, "weir: %v\n", err)
		os.Exit(1)
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "weir",
		Short: "A database proxy that enforces policy on the wire",
		Long: `weir stands between clients and a PostgreSQL server. It authenticates people and
applications, decides every statement with OPA/Rego, masks protected columns in
the result, refuses writes to read-only sources and keeps an audit journal that
shows tampering.

Exit status: 0 success, 1 failure or a finding, 2 wrong usage or unreadable input.`,
		Example: `  weir demo                      # try it: a database, three people, no setup
  weir serve --config weir.yaml`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		fmt.Fprintf(cmd.ErrOrStderr(), "weir: %v\nSee '%s --help'.\n", err, cmd.CommandPath())
		return exitError(2)
	})
	root.AddCommand(newServe(), newDemo(), newCheck(), newPolicy(), newAudit(), newVersion(), newLoginCommand(), newConnectCommand(), newLogoutCommand())
	root.AddCommand(accountCommands()...)
	return root
}
